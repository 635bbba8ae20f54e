"""Tables of several runs: a comparison, and the list of the runs in directories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from rumcli import atomic_io
from rumcli.json_schemas.analysis import ComparedRun, ComparedRuns, ListedRun
from rumcli.reporting import formatting
from rumcli.reporting.formatting import NOTHING, FirstThatFits, responsive_table

_STYLES = {"running": "green", "finished": "", "stopped": "yellow", "failed": "red"}
_WIDE_OVERHEAD, _LONG_OVERHEAD = 5, 1  # lines of the terminal without a run


class ComparisonTable:
    """Table of a group of runs, laid out to fit the width of the terminal.

    Args:
        group: Runs to compare.
        labels: A label for each run, in the order of the group.
    """

    def __init__(self, group: ComparedRuns, labels: Sequence[str]) -> None:
        self._group = group
        self._labels = labels

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the first layout that fits."""
        right, names = {"seconds", "steps", "weights", "value"}, self._names()
        columns: dict[str, Literal["left", "right"]] = {
            name: "right" if key in right else "left" for key, name in names.items()
        }
        rows = [[cells[key] for key in names] for cells in self._cells()]
        yield responsive_table(self._title, columns, [rows])

    @property
    def _title(self) -> str:
        best = "highest" if self._group.higher_is_better else "lowest"
        return f"{self._group.task}: {best} {self._metric} first"

    @property
    def _metric(self) -> str:
        return formatting.metric_name(self._group.metric)

    def _names(self) -> dict[str, str]:
        """Return the column titles by key."""
        names = {"run": "run", "value": self._metric, "split": "split"}
        if any(run.baseline for run in self._group.runs):
            names["gap_to_baseline"] = "gap to baseline"
        names |= {"steps": "steps", "seconds": "time", "weights": "weights"}
        return names | {key: key for key in self._group.differences}

    def _cells(self) -> Iterator[dict[str, Text]]:
        for label, run in zip(self._labels, self._group.runs, strict=True):
            yield {
                "run": Text(label, style="bold"),
                **{key: Text(text) for key, text in self._metrics(run).items()},
                **{key: Text(formatting.table_cell(value)) for key, value in run.settings.items()},
            }

    def _metrics(self, run: ComparedRun) -> dict[str, str]:
        # `train.until` may finish a run early.
        is_whole = run.finished or run.steps == run.of_steps
        done = f"{run.steps:,}" if is_whole else f"{run.steps:,} of {run.of_steps:,}"
        return {
            "value": NOTHING if run.value is None else self._value(run.value),
            "split": {"test": "test", "validation": "best validation"}.get(
                run.split or "", "no evaluation yet"
            ),
            "gap_to_baseline": NOTHING
            if run.baseline is None or run.value is None
            else formatting.distance(run.baseline, run.value),
            "steps": done,
            "seconds": NOTHING if run.seconds is None else formatting.duration(run.seconds),
            "weights": NOTHING if run.parameters is None else f"{run.parameters:,}",
        }

    def _value(self, value: float) -> str:
        return formatting.value(self._group.metric, value)


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
        shown = self._shown(1, _WIDE_OVERHEAD)
        for run in shown:
            table.add_row(
                Text(atomic_io.readable(run.folder)),
                _state(run),
                Text(run.task or NOTHING),
                Text(run.cell or NOTHING),
                _step(run),
                Text(_value(run, with_name=self._metric == "metric")),
                Text(_baseline(run)),
                formatting.duration(run.age),
            )
        return Group(*self._earlier(shown), table)

    def _long(self) -> Group:
        shown = self._shown(2, _LONG_OVERHEAD)
        lines = []
        for run in shown:
            first = Text(atomic_io.readable(run.folder), style="bold", overflow="fold")
            parts = [run.task, run.cell, _step(run), _value(run)]
            parts.append(_baseline(run))
            known = [part for part in parts if part not in (None, NOTHING)]
            lines += [first, Text("  ").append_text(_state(run)).append(f", {', '.join(known)}")]
            lines[-1].append(f", {formatting.duration(run.age)} ago")
        return Group(*self._earlier(shown), *lines)

    def _earlier(self, shown: Sequence[ListedRun]) -> list[Text]:
        hidden = len(self._runs) - len(shown)
        return [Text(f"{hidden} earlier runs are not shown")] if hidden else []


def _state(run: ListedRun) -> Text:
    return Text(run.state, style=_STYLES.get(run.state, "dim"))


def _step(run: ListedRun) -> str:
    if run.of_steps is None:
        return NOTHING
    # `train.until` may finish a run early.
    is_whole = run.state == "finished" or run.steps == run.of_steps
    return f"{run.steps:,}" if is_whole else f"{run.steps:,}/{run.of_steps:,}"


def _value(run: ListedRun, with_name: bool = True) -> str:
    if run.metric is None or run.value is None:
        return NOTHING
    name = f"{formatting.metric_name(run.metric)} " if with_name else ""
    split = " val." if run.split == "validation" else ""
    return f"{name}{formatting.value(run.metric, run.value)}{split}"


def _baseline(run: ListedRun) -> str:
    if run.metric is None or run.baseline is None:
        return NOTHING
    return f"{run.baseline.label} {formatting.value(run.metric, run.baseline.value)}"
