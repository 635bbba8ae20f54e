"""Training from Python, and the resulting run: history, model, evaluation and comparison."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.jupyter import JupyterMixin
from rich.text import Text

from rumcli import plugins
from rumcli.cli import _keras_startup, _options, _run_arguments, _training
from rumcli.cli import compare as comparing
from rumcli.cli import evaluate as evaluating
from rumcli.cli import plot as plotting
from rumcli.cli._options import OutputMode
from rumcli.cli._run_arguments import has_all_subtasks
from rumcli.config import yaml_io
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import console, plots, result_tables
from rumcli.reporting import console as output
from rumcli.training import requirements
from rumcli.training.checkpoint import BEST
from rumcli.training.run_dir import RunDir

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from rumcli.config import RunConfig
    from rumcli.json_schemas.analysis import ComparedRuns

RunPath = str | os.PathLike[str]


class Run(JupyterMixin):
    """A training run, finished or unfinished, in its directory.

    `rumcli.train` and `rumcli.load` return it. Every attribute is read from the directory on
    access. It is displayed as the table of its result, also in notebooks.

    Attributes:
        path: Run directory.
        trusts_code: Whether the code that its configuration names may run.
    """

    def __init__(self, folder: RunDir, trust_code: bool = False) -> None:
        self.path = folder.path
        self.trusts_code = trust_code
        self._folder = folder

    @property
    def config(self) -> RunConfig:
        """The complete configuration: `config.yaml`.

        Raises:
            ConfigError: If the file is missing or invalid.
        """
        return self._folder.config

    @property
    def history(self) -> list[dict[str, Any]]:
        """The validations in the order of their steps: the lines of `metrics.jsonl`.

        Each has `step`, `seconds`, and the metrics of training and validation (`val_…`).

        Raises:
            RunError: If the file can't be read.
        """
        return self._folder.records()

    @property
    def summary(self) -> dict[str, Any] | None:
        """The test result, as `rum train --json` prints it; None if the run is not finished."""
        found = self._folder.read_json("summary.json")
        return {**found, "folder": str(self.path)} if isinstance(found, dict) else None

    @functools.cached_property
    def model(self) -> keras.Model:
        """The compiled Keras model with the best weights by validation, built on first access.

        Raises:
            ConfigError: If the data or the code of the run is missing, or the code is not trusted.
            RunError: If the checkpoint is missing or damaged.
        """
        from rumcli.config import Split
        from rumcli.training import dataset_binding, resume

        run = self.config
        if has_all_subtasks(run):
            raise RunError(
                f"{self.path} has a run for each subtask; load one of them, as in "
                f"rumcli.load('{self.path}/qa1').model"
            )
        _run_arguments.check_trust(run, self.trusts_code)
        data = dataset_binding.for_evaluation(self._folder, Split.VALIDATION)
        resume.require_checkpoint(self._folder, BEST)
        _keras_startup.start(debug=False, quiet=True)
        _run_arguments.load_trusted(run)
        from rumcli.training import evaluation, run_environment

        with run_environment.restored_keras():
            _, model, _ = evaluation.restore_run(self._folder, Split.VALIDATION, BEST, data)
        return model

    def plot(
        self,
        path: RunPath | None = None,
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
            force: Whether to replace a file that exists.

        Returns:
            Learning curve as a `matplotlib.figure.Figure`, which notebooks display.

        Raises:
            ConfigError: If the run has no validation yet, the metric is unknown, or the file exists
                or can't be written.

        Example:
            >>> run.plot("curve.svg", over="time")
        """
        over = _options.choose("over", "axis", over, plots.OVER)
        theme = _options.choose("theme", "theme", theme, plots.THEMES)
        picture = None if path is None else Path(path)
        kind = _options.check_plot_file("path", picture, force) if picture else ""
        _, drawing = plotting.collect([self.path], metric)
        if picture:
            drawing.save(picture, kind, over, theme, force)
        return drawing.figure(over, theme)

    def __rich__(self) -> RenderableType:
        summary = self._folder.summary()
        if summary is not None:
            summary = {**summary, "folder": str(self.path)}
            return result_tables.result(summary, plotting.validations(self._folder)[1])
        whole = self.summary
        if whole is not None and "subtasks" in whole:
            return result_tables.babi_subtasks(whole)
        return Text(f"run in {self.path}, not finished; to resume: {self._folder.resume_command}")

    def __str__(self) -> str:
        return console.text_of(self.__rich__())

    def __repr__(self) -> str:
        return f"rumcli.load({str(self.path)!r})"


def load(path: RunPath, *, trust_code: bool = False) -> Run:
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


def folders(*runs: Run | RunPath) -> Iterator[Path]:
    """Yield the directory of each run.

    Args:
        *runs: Runs or their directories.
    """
    for run in runs:
        yield run.path if isinstance(run, Run) else Path(run)


def evaluate(
    run: Run | RunPath,
    split: str = "test",
    *,
    checkpoint: str = "best",
    data: RunPath | None = None,
    examples: int = 0,
    require: str | Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Evaluate the weights of a run on a split, beside the task's baseline.

    Args:
        run: The run, or its directory.
        split: `"validation"` or `"test"`.
        checkpoint: `"best"` (by validation) or `"last"`.
        data: For runs of ptb or babi, path of other data, or the new path of the run's data.
        examples: For runs of babi, number of questions to return, wrongly answered ones first.
        require: Thresholds such as `"accuracy>=0.95"`.
        trust_code: Whether to run the code that the configuration of the run names, if it does.
        quiet: Whether to print warnings only.

    Returns:
        The document that `rum eval --json` prints.

    Raises:
        ConfigError: If an argument, the run or its data is invalid.
        RunError: If the checkpoint is missing or damaged, or a threshold is missed.

    Example:
        >>> rumcli.evaluate(run)["accuracy"]
    """
    (path,) = folders(run)
    outcome = evaluating.execute(
        path,
        split,
        checkpoint,
        None if data is None else Path(data),
        examples,
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
        return output.text_of(self)


def compare(*runs: Run | RunPath) -> Comparison:
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
        raise ConfigError("which runs? Give at least one, as in rumcli.compare('runs')")
    return Comparison(comparing.execute(list(folders(*runs))))


def train(
    task: str | Callable[..., Any] | None = None,
    *,
    cell: str | Callable[..., Any] | None = None,
    norm: float | None = None,
    hidden: int | None = None,
    data: RunPath | None = None,
    subtask: int | str | None = None,
    delay: int | None = None,
    steps: int | None = None,
    until: str | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    on_non_finite: str | None = None,
    preset: RunPath | None = None,
    callbacks: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] = (),
    loggers: str | Sequence[str] = (),
    set: Mapping[str, Any] | Sequence[str] = (),
    out: RunPath | None = None,
    resume: Run | RunPath | None = None,
    from_scratch: bool = False,
    require: str | Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
) -> Run:
    """Train a cell on a task, as `rum train` does, and return the run.

    Arguments have the names and defaults of the options of `rum train`. None means that the option
    is not given. Progress is printed to stderr.

    An interrupt (Ctrl-C, or a notebook's stop button) saves the run after the current step. Python
    handles signals only in the main thread, so a run in another thread cannot be interrupted.

    Args:
        task: copying, recall, babi, ptb, a `Task` subclass, or its path `package.module:Class`. May
            be omitted with `resume` or a preset that names it.
        cell: rum, arum, lnlstm, fsrnn, eunn, goru, lstm, gru, rnn, a layer class or a function that
            returns a layer, or its path.
        norm: Time norm η > 0 of rum and arum.
        hidden: Size of the cell's state, in units.
        data: Text of ptb or stories of babi: a file or directory.
        subtask: Number of the bAbI subtask, 1 to 20, or `"all"`.
        delay: T of copying and recall, in time steps.
        steps: Length of the run, in training steps.
        until: Validation threshold that ends the run, as in `"accuracy>=0.999"`.
        batch_size: Examples per training step.
        learning_rate: Step size of the optimizer.
        seed: Seed of data, weights, dropout and zoneout.
        on_non_finite: `"stop"` the run or `"skip"` the step when loss or gradient is not finite.
        preset: Name of a preset, or a file such as a run's `config.yaml`.
        callbacks: Keras callback classes, or their paths, to construct without arguments.
        loggers: Experiment loggers, of tensorboard, csv, mlflow, wandb and trackio.
        set: Other keys of the configuration, as in `{"train.eval_every": 50}`, or strings
            `"key.path=value"` as for `--set`.
        out: Run directory to create; None: `runs/TASK-CELL-1`, or the next free number.
        resume: Earlier run, or its directory, to continue exactly.
        from_scratch: With `resume`: whether to delete the run's checkpoints and records first.
        require: Thresholds such as `"accuracy>=0.95"` on the summary.
        trust_code: Whether to run the code that a preset or an earlier run names, if any. Code in
            an argument is always trusted.
        quiet: Whether to print warnings only.

    Returns:
        The finished run.

    Raises:
        ConfigError: If an argument or the data is invalid; the message names the option.
        RunError: If the run fails, or does not meet a threshold of `require`.
        KeyboardInterrupt: If the run was interrupted. It is saved, and the message contains the
            call that resumes it.

    Example:
        >>> run = rumcli.train("recall", cell="arum", delay=30, steps=500)
        >>> run.summary["accuracy"]
    """
    given = _run_arguments.RunOptions(
        task=_code(task),
        cell=_code(cell),
        norm=norm,
        hidden=hidden,
        data=None if data is None else str(data),
        subtask=None if subtask is None else str(subtask),
        delay=delay,
        steps=steps,
        until=until,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        on_non_finite=on_non_finite,
        preset=None if preset is None else str(preset),
        callbacks=_codes(callbacks),
        loggers=[loggers] if isinstance(loggers, str) else loggers,
        set=_assignments(set),
        out=None if out is None else Path(out),
        resume=_run_dir(resume),
        from_scratch=from_scratch,
    )
    required = requirements.parse([require] if isinstance(require, str) else require)
    planned = _run_arguments.plan_run(given)
    trusts = trust_code or (isinstance(resume, Run) and resume.trusts_code)
    _run_arguments.check_trust(planned.config, trusts, given.typed)
    showing = OutputMode(as_json=False, quiet=quiet, debug=False)
    try:
        finished = _training.execute(planned, required, showing)
    except _training.Stopped as stopped:
        if stopped.signal != signal.SIGINT:  # a request to end the process
            console.note(stopped.message)
            raise
        call = f"rumcli.train(resume={str(stopped.path)!r})"
        raise KeyboardInterrupt(f"{stopped.message}, or in Python: {call}") from None
    requirements.enforce(requirements.with_verdicts(required, finished.summary))
    return Run(finished.folder, trust_code=True)


def _run_dir(given: Run | RunPath | None) -> Path | None:
    if isinstance(given, Run):
        return given.path
    return None if given is None else Path(given)


def _code(given: str | Callable[..., Any] | None) -> str | None:
    return given if given is None or isinstance(given, str) else plugins.path_of(given)


def _codes(given: str | Callable[..., Any] | Sequence[str | Callable[..., Any]]) -> list[str]:
    one_each = [given] if isinstance(given, str) or callable(given) else given
    if not isinstance(one_each, Sequence):
        raise ConfigError(
            f"callbacks: expected classes or package.module:Class, got an instance of "
            f"{type(given).__name__}"
        )
    return [path for path in map(_code, one_each) if path is not None]


def _assignments(given: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return strings in the form of `--set`."""
    if not isinstance(given, Mapping):
        return [given] if isinstance(given, str) else list(given)
    try:
        return [f"{key}={yaml_io.dump(value, one_line=True)}" for key, value in given.items()]
    except yaml.YAMLError as error:
        raise ConfigError(f"set {dict(given)!r}: expected values that YAML has") from error
