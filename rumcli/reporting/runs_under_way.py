"""The picture of many runs under way: a table, or where that is too wide, two lines for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from rumcli.jobs.events import Job, RunProgress
from rumcli.reporting import forms, wording
from rumcli.reporting.sweep import settings

_NOTHING = "–"
_MOST_IN_TABLE, _MOST_OF_TWO_LINES = 12, 6  # runs, so that the last line stays on the screen


@dataclass(frozen=True)
class Line:
    """A run under way.

    Attributes:
        run: The run.
        standing: How far it is; None: it starts.
        latest: The last one with a value; None if there is none yet.
        machine: Where it is; empty if that is not known.
    """

    run: Job
    standing: RunProgress | None
    latest: RunProgress | None
    machine: str

    @property
    def step(self) -> str:
        """How far it is, for people."""
        return f"{self.standing.step}/{self.standing.steps}" if self.standing else "starts"


class RunsUnderWay:
    """The runs and a line about all; it leaves out their settings before it squeezes anything.

    Args:
        lines: The runs.
        headline: What is said of all.
    """

    def __init__(self, lines: Sequence[Line], headline: str) -> None:
        self._lines = lines
        self._headline = headline
        self._has_settings = any(line.run.settings for line in lines)
        self._has_machines = len({line.machine for line in lines if line.machine}) > 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form that the width allows."""

        def without_settings() -> RenderableType:
            return forms.fitting(console, options, self._table(False), lambda: self._long(False))

        def of_two_lines() -> RenderableType:
            return forms.fitting(console, options, self._long(True), without_settings)

        if self._has_settings:
            yield forms.fitting(console, options, self._table(True), of_two_lines)
        else:
            yield without_settings()
        yield Text(self._headline)

    def _table(self, with_settings: bool) -> Group:
        table = Table(title_justify="left", expand=False)
        names = ["run", "settings"] if with_settings else ["run"]
        for name in [*names, "step", "now", *(["machine"] if self._has_machines else [])]:
            table.add_column(name)
        for line in self._lines[:_MOST_IN_TABLE]:
            table.add_row(
                Text(line.run.name),
                *([Text(settings(line.run.settings))] if with_settings else []),
                line.step,
                Text(figure(line.latest) if line.latest else _NOTHING),
                *([Text(line.machine)] if self._has_machines else []),
            )
        return Group(table, *self._more(_MOST_IN_TABLE))

    def _long(self, with_settings: bool) -> Group:
        lines = []
        for line in self._lines[:_MOST_OF_TWO_LINES]:
            first = Text(line.run.name, style="bold")
            if with_settings:
                first.append(f"  {settings(line.run.settings)}", style="not bold")
            parts = [line.step, *([figure(line.latest)] if line.latest else [])]
            parts += [line.machine] if self._has_machines and line.machine else []
            lines += [first, Text(f"  {', '.join(parts)}")]
        return Group(*lines, *self._more(_MOST_OF_TWO_LINES))

    def _more(self, shown: int) -> list[Text]:
        more = len(self._lines) - shown
        return [Text(f"and {more} more")] if more > 0 else []


def figure(standing: RunProgress) -> str:
    """Write the latest validation of a run, which there is."""
    assert standing.value is not None
    name = wording.metric_name(standing.metric)
    return f"{name} {wording.value(standing.metric, standing.value)}"
