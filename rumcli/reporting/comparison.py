"""Runs side by side: a row for each, or where that is too wide, a part of a list for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rumcli.reporting import wording
from rumcli.reporting.responsive_table import responsive_table
from rumcli.training.comparison import Group, Row

_NOTHING = "–"


class Comparison:
    """The table of a group of runs, in the form that the width of the terminal allows.

    Args:
        group: The runs.
        labels: What each run is called, in the order of the group's rows.
    """

    def __init__(self, group: Group, labels: Sequence[str]) -> None:
        self._group = group
        self._labels = labels

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return the table in the form that fits."""
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
        return wording.metric_name(self._group.metric)

    def _names(self) -> dict[str, str]:
        """Return the columns: a key and a name each."""
        names = {"run": "run", "value": self._metric, "split": "of"}
        if any(row.reference for row in self._group.rows):
            names["distance"] = "distance"
        names |= {"steps": "steps", "seconds": "time", "weights": "weights"}
        return names | {".".join(key): ".".join(key) for key in self._group.differences}

    def _cells(self) -> Iterator[dict[str, Text]]:
        for label, row in zip(self._labels, self._group.rows, strict=True):
            yield {
                "run": Text(label, style="bold"),
                **{key: Text(text) for key, text in self._figures(row).items()},
                **{".".join(key): Text(_shown(value)) for key, value in row.settings.items()},
            }

    def _figures(self, row: Row) -> dict[str, str]:
        whole = row.config.train.steps
        is_whole = row.finished or row.steps == whole  # `train.until` may end a run before
        done = f"{row.steps:,}" if is_whole else f"{row.steps:,} of {whole:,}"
        is_placed = row.reference is not None and row.value is not None
        return {
            "value": _NOTHING if row.value is None else self._value(row.value),
            "split": {"test": "test", "validation": "best validation"}.get(
                row.split or "", "no evaluation yet"
            ),
            "distance": wording.distance(row.reference, row.value) if is_placed else _NOTHING,
            "steps": done,
            "seconds": _NOTHING if row.seconds is None else wording.duration(row.seconds),
            "weights": _NOTHING if row.parameters is None else f"{row.parameters:,}",
        }

    def _value(self, value: float) -> str:
        return wording.value(self._group.metric, value)


def _shown(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
