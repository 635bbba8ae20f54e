"""Training from Python, and the resulting run: history, model, evaluation and comparison."""

from __future__ import annotations

import functools
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from rich.jupyter import JupyterMixin
from rich.text import Text

from rumcli import errors
from rumcli.cli import _job_sets, _keras_startup, _options, _run_arguments, _training
from rumcli.cli import compare as comparing
from rumcli.cli import evaluate as evaluating
from rumcli.cli import plot as plotting
from rumcli.cli import sweep as sweeping
from rumcli.cli._options import FilePath, OutputMode
from rumcli.cli._run_arguments import Code, TrainOptions
from rumcli.cli.evaluate import EvalOptions
from rumcli.cli.sweep import SweepOptions
from rumcli.errors import ConfigError, RunError, Stopped
from rumcli.reporting import console, plots, result_tables
from rumcli.training import requirements
from rumcli.training.checkpoint import BEST
from rumcli.training.run_dir import RunDir

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from rumcli.config import RunConfig
    from rumcli.json_schemas.analysis import ComparedRuns
    from rumcli.sweeps.search import SweepResults


class Run(JupyterMixin):
    """A training run, finished or unfinished, in its directory.

    `rumcli.train` and `rumcli.load` return it. Every attribute is read from the directory on
    access. It is displayed as the table of its result, also in notebooks.

    Attributes:
        path: Run directory.
        trusts_code: Whether the code that its configuration names may run.
    """

    def __init__(self, run_dir: RunDir, trust_code: bool = False) -> None:
        self.path = run_dir.path
        self.trusts_code = trust_code
        self._run_dir = run_dir

    @property
    def config(self) -> RunConfig:
        """The complete configuration: `config.yaml`.

        Raises:
            ConfigError: If the file is missing or invalid.
        """
        return self._run_dir.config

    @property
    def history(self) -> list[dict[str, Any]]:
        """The validations in the order of their steps: the lines of `metrics.jsonl`.

        Each has `step`, `seconds`, and the metrics of training and validation (`val_…`).

        Raises:
            RunError: If the file cannot be read.
        """
        return self._run_dir.records()

    @property
    def summary(self) -> dict[str, Any] | None:
        """The test result, as `rum train --json` prints it; None if the run is not finished."""
        summary = self._run_dir.read_json("summary.json")
        return {**summary, "folder": str(self.path)} if isinstance(summary, dict) else None

    @functools.cached_property
    @errors.for_python()
    def model(self) -> keras.Model:
        """The compiled Keras model with the best weights by validation, built on first access.

        Raises:
            ConfigError: If the data or the code of the run is missing, or the code is not trusted.
            RunError: If the checkpoint is missing or damaged.
        """
        from rumcli.config import Split
        from rumcli.training import dataset_binding, resume

        run = self.config
        if subtasks := run.task.subtasks:
            raise RunError(
                f"{self.path} has a run for each subtask; load one of them, as in "
                f"rumcli.load('{self.path}/{subtasks[0].directory}').model"
            )
        _run_arguments.check_trust(run, self.trusts_code)
        data = dataset_binding.for_evaluation(self._run_dir, Split.VALIDATION)
        resume.require_checkpoint(self._run_dir, BEST)
        _keras_startup.start(debug=False, quiet=True)
        _run_arguments.load_trusted(run)
        from rumcli.training import evaluation, run_environment

        with run_environment.restored_keras():
            _, model, _ = evaluation.restore_run(self._run_dir, Split.VALIDATION, BEST, data)
        return model

    @errors.for_python()
    def plot(
        self,
        path: FilePath | None = None,
        *,
        metric: str | None = None,
        over: str = "steps",
        theme: str = "light",
        force: bool = False,
    ) -> Figure:
        """Draw the learning curve beside the task's baseline, as `rum plot` does.

        Args:
            path: PNG, SVG or PDF file to write; None for no file.
            metric: Metric of the validations, as in `"loss"`; None for the one that selects the
                best weights.
            over: Horizontal axis: `"steps"` or `"time"`.
            theme: `"light"`, or `"dark"` with a transparent background.
            force: Whether to replace an existing file.

        Returns:
            Learning curve as a `matplotlib.figure.Figure`, which notebooks display.

        Raises:
            ConfigError: If the run has no validation yet, the metric is unknown, or the file exists
                or cannot be written.

        Example:
            >>> run.plot("curve.svg", over="time")
        """
        over = _options.choose("over", "axis", over, plots.OVER)
        theme = _options.choose("theme", "theme", theme, plots.THEMES)
        file = None if path is None else Path(path)
        kind = _options.check_plot_file("path", file, force) if file else ""
        _, drawing = plotting.collect([self.path], metric)
        if file:
            drawing.save(file, kind, over, theme, force)
        return drawing.figure(over, theme)

    @errors.for_python()
    def __rich__(self) -> RenderableType:
        summary = self._run_dir.summary()
        if summary is not None:
            summary = {**summary, "folder": str(self.path)}
            return result_tables.result(summary, plotting.validations(self._run_dir)[1])
        whole = self.summary
        if whole is not None and "subtasks" in whole:
            return result_tables.babi_subtasks(whole)
        return Text(f"run in {self.path}, not finished; to resume: {self._run_dir.resume_call()}")

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return console.text_of(self.__rich__())

    def __repr__(self) -> str:
        return f"rumcli.load({str(self.path)!r})"


@errors.for_python()
def load(path: FilePath, *, trust_code: bool = False) -> Run:
    """Return an earlier run, finished or not.

    Args:
        path: Run directory.
        trust_code: Whether to run the code that the configuration of the run names, if any.

    Returns:
        The run.

    Raises:
        ConfigError: If the directory is missing or is not that of a run.

    Example:
        >>> run = rumcli.load("runs/recall-arum-1")
        >>> run.history[-1]["val_accuracy"]
    """
    return Run(RunDir.open(Path(path)), trust_code)


@_options.documents(EvalOptions)
@errors.for_python()
def evaluate(
    run: Run | FilePath,
    split: str = "test",
    /,
    *,
    require: str | Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
    **options: Unpack[EvalOptions],
) -> dict[str, Any]:
    """Evaluate the weights of a run on a split, beside the task's baseline.

    Args:
        run: The run, or its directory.
        split: `"validation"` or `"test"`.
        **options: Further options of `rum eval`, by name; see `help(rumcli.evaluate)`.
        require: Thresholds such as `"accuracy>=0.95"`.
        trust_code: Whether to run the code that the configuration of the run names, if any.
        quiet: Whether to print warnings only.

    Returns:
        The document that `rum eval --json` prints.

    Raises:
        ConfigError: If an argument, the run or its data is invalid.
        RunError: If the checkpoint is missing or damaged, or a threshold is missed.

    Example:
        >>> rumcli.evaluate(run)["accuracy"]
    """
    outcome = evaluating.execute(
        Path(run),
        {"split": split, **options},
        requirements.parse([require] if isinstance(require, str) else require),
        trust_code or (isinstance(run, Run) and run.trusts_code),
        OutputMode(as_json=False, quiet=quiet, debug=False),
    )
    requirements.enforce(outcome)
    from rumcli.json_schemas.results import Evaluation

    return Evaluation.read(outcome).to_dict()


class Comparison(list[dict[str, Any]], JupyterMixin):
    """Compared runs as a list of dictionaries, the best of each task first.

    Each has the keys of a run in `rum compare --json`, and `task` and `metric`. It is displayed as
    the table of `rum compare`, also in notebooks. `pandas.DataFrame` accepts it.
    """

    def __init__(self, groups: Sequence[ComparedRuns]) -> None:
        super().__init__(
            {"task": group.task, "metric": group.metric, **run.model_dump(mode="json")}
            for group in groups
            for run in group.runs
        )
        self._tables = comparing.tables(groups)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a table for each task."""
        yield from self._tables

    def __str__(self) -> str:
        return console.text_of(self)


@errors.for_python()
def compare(*runs: Run | FilePath) -> Comparison:
    """Compare runs by their metrics and by the settings in which they differ.

    The metric is that of the test for a finished run, and of the best validation for others.

    Args:
        *runs: Runs, run directories, or directories of runs such as `"runs"`.

    Returns:
        A list of dictionaries, one for each run.

    Raises:
        ConfigError: If no run is found, or one is invalid.

    Example:
        >>> print(rumcli.compare("runs"))
    """
    if not runs:
        raise ConfigError("which runs? Expected at least one, as in rumcli.compare('runs')")
    return Comparison(comparing.execute([Path(run) for run in runs]))


class Sweep(list[dict[str, Any]], JupyterMixin):
    """Points of a sweep as a list of dictionaries, the best first.

    Each has the keys of a point in `rum sweep --json`: `settings`, `validation`, `test` and `runs`,
    among others. It is displayed as the table of `rum sweep`, also in notebooks.

    Attributes:
        path: Directory of the sweep.
        document: Document that `rum sweep --json` prints.
    """

    def __init__(self, results: SweepResults) -> None:
        self.path = results.folder.path
        self.document = results.document.to_dict()
        super().__init__(self.document["points"])
        self._results = results

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table of the points."""
        from rumcli.reporting import job_set_tables

        yield job_set_tables.sweep_results_table(self._results)

    def __str__(self) -> str:
        return console.text_of(self)


@_options.documents(SweepOptions)
@errors.for_python()
def sweep(
    file: FilePath | None = None,
    /,
    *,
    trust_code: bool = False,
    quiet: bool = False,
    **options: Unpack[SweepOptions],
) -> Sweep:
    """Train at every point of a search, with several seeds, as `rum sweep` does.

    Each run has a separate process. An interrupt (Ctrl-C, or a notebook's stop button) saves
    them all.

    Args:
        file: YAML file of the sweep.
        **options: Further options of `rum sweep`, by name; see `help(rumcli.sweep)`.
        trust_code: Whether to run the code that the sweep names, if any.
        quiet: Whether to print warnings only.

    Returns:
        The points, the best first.

    Raises:
        ConfigError: If an argument, the file or its data is invalid.
        RunError: If a run failed, or the search found no further valid points. The results are
            in the directory; `rumcli.sweep(results=path)` returns them.
        KeyboardInterrupt: If the sweep was interrupted. It is saved, and the message contains the
            call that continues it.

    Example:
        >>> found = rumcli.sweep("sweep.yaml", jobs=2)
        >>> found[0]["settings"]
    """
    if file is not None:
        options["file"] = file
    output = OutputMode(as_json=False, quiet=quiet, debug=False)
    outcome = sweeping.execute(options, trust_code, output)
    if (ending := outcome.ending) is not None:
        if ending.signal == signal.SIGINT:
            raise KeyboardInterrupt(f"stopped; all runs are saved; to resume: {outcome.command}")
        _job_sets.summarize(ending, outcome.results, outcome.command, output)
        _job_sets.end(ending, outcome.results, outcome.gave_up)
    return Sweep(outcome.results)


@_options.documents(TrainOptions)
@errors.for_python()
def train(
    task: Code | None = None,
    /,
    *,
    require: str | Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
    **options: Unpack[TrainOptions],
) -> Run:
    """Train a cell on a task, as `rum train` does, and return the run.

    Arguments have the names and defaults of the options of `rum train`. None means that the option
    is not given. Progress is printed to stderr.

    An interrupt (Ctrl-C, or a notebook's stop button) saves the run after the current step. Python
    handles signals only in the main thread, so a run in another thread cannot be interrupted.

    Args:
        task: Name of the task, a `Task` subclass, or its path.
        **options: Further options of `rum train`, by name; see `help(rumcli.train)`.
        require: Thresholds such as `"accuracy>=0.95"` on the summary.
        trust_code: Whether to run the code that a preset or an earlier run names, if any. Code in
            an argument is always trusted.
        quiet: Whether to print warnings only.

    Returns:
        The finished run.

    Raises:
        ConfigError: If an argument or the data is invalid; the message names the argument.
        RunError: If the run fails, or does not meet a threshold of `require`.
        KeyboardInterrupt: If the run was interrupted. It is saved, and the message contains the
            call that resumes it.

    Example:
        >>> run = rumcli.train("recall", cell="arum", delay=30, steps=500)
        >>> run.summary["accuracy"]
    """
    if task is not None:
        options["task"] = task
    thresholds = requirements.parse([require] if isinstance(require, str) else require)
    planned = _run_arguments.plan_run(options, (lambda text: None) if quiet else console.note)
    resume = options.get("resume")
    is_trusted = trust_code or (isinstance(resume, Run) and resume.trusts_code)
    _run_arguments.check_trust(planned.config, is_trusted, _run_arguments.typed(options))
    output = OutputMode(as_json=False, quiet=quiet, debug=False)
    try:
        finished = _training.execute(planned, thresholds, output)
    except Stopped as stopped:
        if stopped.signal != signal.SIGINT:  # a request to end the process
            console.note(stopped.message)
            raise
        raise KeyboardInterrupt(stopped.message) from None
    requirements.enforce(requirements.with_verdicts(thresholds, finished.summary))
    return Run(finished.run_dir, trust_code=True)
