"""The points of a sweep as tables: before it begins, and what came of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rumcli.jobs.events import FINISHED
from rumcli.jobs.folder import spread
from rumcli.reporting import forms, wording
from rumcli.sweeps.results import Outcome, Point, Results

_NOTHING = "–"


class SweepTable:
    """The points of a sweep, best first: mean ± deviation over the seeds.

    Args:
        found: The results.
    """

    def __init__(self, found: Results) -> None:
        self._found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form that the width allows."""
        yield forms.fitting(console, options, self._wide(), self._long)

    def _wide(self) -> Table:
        table = Table(title=self._title, caption=self._caption, title_justify="left")
        table.caption_justify = "left"
        for name in self._names:
            is_figure = name in ("point", "test") or name == self._names[-3]
            table.add_column(Text(name), justify="right" if is_figure else "left")
        for point in self._found.points:
            table.add_row(*self._cells(point))
        return table

    def _long(self) -> Table:
        table = Table(title=self._title, caption=self._caption, title_justify="left")
        table.caption_justify = "left"
        table.show_header = False
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        names = self._names
        for point in self._found.points:
            for number, (name, cell) in enumerate(zip(names, self._cells(point), strict=True)):
                table.add_row(Text(name), cell, end_section=number == len(names) - 1)
        return table

    @property
    def _title(self) -> Text:
        if self._found.metric is None:
            return Text(f"{self._found.task}: {self._found.search} search")
        best = "highest" if self._found.higher_is_better else "lowest"
        metric = wording.metric_name(self._found.metric)
        return Text(f"{self._found.task}, {self._found.search} search: {best} {metric} first")

    @property
    def _caption(self) -> str:
        points = self._found.points
        seeds = max((len(point.outcomes) for point in points), default=1)
        over = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
        figures = [found for point in points for found in (point.values, point.tests)]
        if over and any(0 < len(found) < seeds for found in figures):
            over += ", or as many as the brackets say"
        return f"best validation of each run, test of each finished run{over}"

    @property
    def _names(self) -> list[str]:
        metric = wording.metric_name(self._found.metric or "figure")
        return ["point", *self._found.parameters, f"validation {metric}", "test", "runs"]

    def _cells(self, point: Point) -> list[Text]:
        return [
            Text(str(point.number), style="bold"),
            *(Text(setting(point.settings.get(key))) for key in self._found.parameters),
            Text(self._spread(point.values, len(point.outcomes))),
            Text(self._spread(point.tests, len(point.outcomes))),
            Text(_states(point.outcomes)),
        ]

    def _spread(self, values: Sequence[float], seeds: int) -> str:
        found = spread(values)
        if found is None:
            return _NOTHING
        name = self._found.metric or ""
        text = wording.value(name, found["mean"])
        if found["deviation"] is not None:
            text += f" ± {wording.deviation(name, found['mean'], found['deviation'])}"
        return text if len(values) == seeds else f"{text} ({len(values)} of {seeds})"


def points(listed: Sequence[Mapping[str, Any]], parameters: Sequence[str], seeds: int) -> Table:
    """Show the points of a search before it begins."""
    counts = (len(listed), "point"), (seeds, "seed"), (len(listed) * seeds, "run")
    title = "{}, {} each: {}".format(*(wording.counted(*one) for one in counts))
    table = Table(title=title, title_justify="left")
    table.add_column("point", justify="right")
    for key in parameters:
        table.add_column(Text(key), overflow="fold")
    for number, point in enumerate(listed, 1):
        table.add_row(str(number), *(Text(setting(point[key])) for key in parameters))
    return table


def settings(values: Mapping[str, Any]) -> str:
    """Write the settings of a point in one line."""
    return ", ".join(f"{key}={setting(value)}" for key, value in values.items())


def setting(value: Any) -> str:
    """Write one value as a YAML file would have it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _states(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(one.state for one in outcomes)
    if set(counts) == {FINISHED}:
        return FINISHED
    return ", ".join(f"{count} {state}" for state, count in counts.items())
