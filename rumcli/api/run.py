"""A training run: its configuration, history, summary, model and learning curve."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.jupyter import JupyterMixin
from rich.text import Text

from rumcli.cli import _keras_startup, _options, _plot_file, _trusted_code
from rumcli.cli import plot as plots
from rumcli.cli._planning import has_all_subtasks
from rumcli.errors import RunError
from rumcli.reporting import babi_tables, console, learning_curves, result_tables
from rumcli.training.checkpoint import BEST
from rumcli.training.run_dir import RunDir

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure
    from rich.console import RenderableType

    from rumcli.config import RunConfig

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
        from rumcli.training import dataset_binding, weight_files

        run = self.config
        if has_all_subtasks(run):
            raise RunError(
                f"{self.path} has a run for each subtask; load one of them, as in "
                f"rumcli.load('{self.path}/qa1').model"
            )
        _trusted_code.check(run, self.trusts_code)
        data = dataset_binding.for_evaluation(self._folder, Split.VALIDATION)
        weight_files.require(self._folder, BEST)
        _keras_startup.start(debug=False, quiet=True)
        _trusted_code.load_trusted(run)
        from rumcli.training import evaluation, keras_setup

        with keras_setup.restored():
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
        over = _options.choose("over", "axis", over, learning_curves.OVER)
        theme = _options.choose("theme", "theme", theme, learning_curves.THEMES)
        picture = None if path is None else Path(path)
        kind = _plot_file.check("path", picture, force) if picture else ""
        _, drawing = plots.collect([self.path], metric)
        if picture:
            drawing.save(picture, kind, over, theme, force)
        return drawing.figure(over, theme)

    def __rich__(self) -> RenderableType:
        summary = self._folder.summary()
        if summary is not None:
            summary = {**summary, "folder": str(self.path)}
            return result_tables.result(summary, plots.validations(self._folder)[1])
        whole = self.summary
        if whole is not None and "subtasks" in whole:
            return babi_tables.subtasks(whole)
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
