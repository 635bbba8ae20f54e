"""Table that compares runs: a row for each, or a list section for each on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rumcli.json_schemas.analysis import ComparedRun, ComparedRuns
from rumcli.reporting import formatting
from rumcli.reporting.responsive_table import responsive_table

_NOTHING = "–"


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
        names = {"run": "run", "value": self._metric, "split": "of"}
        if any(run.baseline for run in self._group.runs):
            names["gap_to_baseline"] = "gap to baseline"
        names |= {"steps": "steps", "seconds": "time", "weights": "weights"}
        return names | {key: key for key in self._group.differences}

    def _cells(self) -> Iterator[dict[str, Text]]:
        for label, run in zip(self._labels, self._group.runs, strict=True):
            yield {
                "run": Text(label, style="bold"),
                **{key: Text(text) for key, text in self._figures(run).items()},
                **{key: Text(_shown(value)) for key, value in run.settings.items()},
            }

    def _figures(self, run: ComparedRun) -> dict[str, str]:
        # `train.until` may finish a run early.
        is_whole = run.finished or run.steps == run.of_steps
        done = f"{run.steps:,}" if is_whole else f"{run.steps:,} of {run.of_steps:,}"
        return {
            "value": _NOTHING if run.value is None else self._value(run.value),
            "split": {"test": "test", "validation": "best validation"}.get(
                run.split or "", "no evaluation yet"
            ),
            "gap_to_baseline": _NOTHING
            if run.baseline is None or run.value is None
            else formatting.distance(run.baseline, run.value),
            "steps": done,
            "seconds": _NOTHING if run.seconds is None else formatting.duration(run.seconds),
            "weights": _NOTHING if run.parameters is None else f"{run.parameters:,}",
        }

    def _value(self, value: float) -> str:
        return formatting.value(self._group.metric, value)


def _shown(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
