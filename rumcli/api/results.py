"""Results of finished runs: evaluation and comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.jupyter import JupyterMixin

from rumcli.api.run import Run, RunPath, folders
from rumcli.cli import compare as comparing
from rumcli.cli import evaluate as evaluating
from rumcli.cli._output_mode import OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console as output
from rumcli.training import requirements

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from rumcli.json_schemas.analysis import ComparedRuns


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
