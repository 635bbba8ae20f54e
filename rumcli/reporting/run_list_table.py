"""Table of the runs of a directory: a row for each, or two lines on a narrow terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from rumcli import atomic_io
from rumcli.json_schemas.analysis import ListedRun
from rumcli.reporting import formatting
from rumcli.reporting.responsive_table import FirstThatFits

_NOTHING = "–"
_STYLES = {"running": "green", "finished": "", "stopped": "yellow", "failed": "red"}
_ROWS_AROUND, _LINES_AROUND = 5, 1  # lines of the terminal without a run


class RunsTable:
    """Table of runs, laid out to fit the width of the terminal.

    Args:
        runs: Runs, the most recently changed last.
        height: Maximum number of lines, so that the last run stays on the screen; None for no
            limit.
    """

    def __init__(self, runs: Sequence[ListedRun], height: int | None = None) -> None:
        self._runs = runs
        self._height = height
        metrics = {run.metric for run in runs if run.metric is not None}
        self._metric = formatting.metric_name(metrics.pop()) if len(metrics) == 1 else "metric"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the first layout that fits."""
        if self._runs:
            yield FirstThatFits(self._wide(), self._long())
        else:
            yield Text("no runs yet")

    def _shown(self, lines: int, around: int) -> Sequence[ListedRun]:
        if self._height is None:
            return self._runs
        return self._runs[-max(1, (self._height - around) // lines) :]

    def _wide(self) -> Group:
        table = Table(title_justify="left")
        for name in ("run", "state", "task", "cell"):
            table.add_column(name)
        for name in ("step", self._metric, "baseline", "age"):
            table.add_column(name, justify="right")
        shown = self._shown(1, _ROWS_AROUND)
        for run in shown:
            table.add_row(
                Text(atomic_io.readable(run.folder)),
                _state(run),
                Text(run.task or _NOTHING),
                Text(run.cell or _NOTHING),
                _step(run),
                Text(_value(run, with_name=self._metric == "metric")),
                Text(_baseline(run)),
                formatting.duration(run.age),
            )
        return Group(*self._earlier(shown), table)

    def _long(self) -> Group:
        shown = self._shown(2, _LINES_AROUND)
        lines = []
        for run in shown:
            first = Text(atomic_io.readable(run.folder), style="bold", overflow="fold")
            parts = [run.task, run.cell, _step(run), _value(run)]
            parts.append(_baseline(run))
            known = [part for part in parts if part not in (None, _NOTHING)]
            lines += [first, Text("  ").append_text(_state(run)).append(f", {', '.join(known)}")]
            lines[-1].append(f", {formatting.duration(run.age)} ago")
        return Group(*self._earlier(shown), *lines)

    def _earlier(self, shown: Sequence[ListedRun]) -> list[Text]:
        hidden = len(self._runs) - len(shown)
        return [Text(f"{hidden} earlier, and:")] if hidden else []


def _state(run: ListedRun) -> Text:
    return Text(run.state, style=_STYLES.get(run.state, "dim"))


def _step(run: ListedRun) -> str:
    if run.of_steps is None:
        return _NOTHING
    # `train.until` may finish a run early.
    is_whole = run.state == "finished" or run.steps == run.of_steps
    return f"{run.steps:,}" if is_whole else f"{run.steps:,}/{run.of_steps:,}"


def _value(run: ListedRun, with_name: bool = True) -> str:
    if run.metric is None or run.value is None:
        return _NOTHING
    name = f"{formatting.metric_name(run.metric)} " if with_name else ""
    split = " val." if run.split == "validation" else ""
    return f"{name}{formatting.value(run.metric, run.value)}{split}"


def _baseline(run: ListedRun) -> str:
    if run.metric is None or run.baseline is None:
        return _NOTHING
    return f"{run.baseline.label} {formatting.value(run.metric, run.baseline.value)}"
