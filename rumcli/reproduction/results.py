"""What came of a table, from its run folders alone: means and deviations beside what is published.

The figure of a run is its test with the weights of its best validation.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rumcli.errors import ConfigError
from rumcli.jobs.events import FAILED, FINISHED, STATES, WAITING
from rumcli.jobs.folder import Outcome as JobOutcome
from rumcli.jobs.folder import finite, spread
from rumcli.reproduction import plan, setting
from rumcli.reproduction.folder import TableFolder
from rumcli.reproduction.plan import Run
from rumcli.reproduction.table import Cell, Table

_PERCENT = 100.0


@dataclass(frozen=True)
class Outcome(JobOutcome):
    """The outcome of one run of a table.

    Attributes:
        value: The figure, in the table's unit; None if there is none.
    """

    value: float | None = None

    @property
    def steps(self) -> int:
        """Training steps that the run can have."""
        steps: int = self.run.config.train.steps
        return steps

    @property
    def reached(self) -> bool:
        """Whether it ended because a validation was good enough."""
        return self.state == FINISHED and bool((self.figures or {}).get("reached"))

    @property
    def data(self) -> str:
        """Where its text or stories were from; empty if there are none."""
        return str((self.figures or {}).get("data") or "")

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            **super().to_json(),
            "part": self.run.part + 1,
            "of_steps": self.steps,
            "reached": self.reached,
            "value": self.value,
            "data": self.data or None,
        }


@dataclass(frozen=True)
class Figure:
    """A row under a condition, with what came of its runs.

    Attributes:
        cell: The row and the condition.
        outcomes: Of all its runs.
    """

    cell: Cell
    outcomes: Sequence[Outcome]

    @property
    def done(self) -> list[Outcome]:
        """The runs that have a figure."""
        return [one for one in self.outcomes if one.value is not None]

    @property
    def values(self) -> list[float]:
        """A figure for each seed that has one: the mean over the parts that there are."""
        by_seed: dict[int, list[float]] = {}
        for one in self.outcomes:
            if one.value is not None:
                by_seed.setdefault(one.run.seed, []).append(one.value)
        return [statistics.fmean(values) for values in by_seed.values()]

    @property
    def has_all_parts(self) -> bool:
        """Whether no figure of a seed is the mean over a part of its runs only."""
        seeds = [one.run.seed for one in self.done]
        return all(seeds.count(seed) == len(self.cell.runs) for seed in seeds)

    @property
    def spread(self) -> dict[str, Any] | None:
        """Mean and deviation over the seeds; None if there is no figure."""
        return spread(self.values)

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(one.state == state for one in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "row": self.cell.row,
            "condition": self.cell.condition or None,
            "published": self.cell.published,
            "not_run": self.cell.not_run,
            "ours": self.spread,
            "whole": self.has_all_parts,
            "runs": [one.to_json() for one in self.outcomes],
        }


@dataclass(frozen=True)
class Results:
    """A table with all its figures.

    Attributes:
        table: What it is.
        folder: Where its runs are.
        seeds: How many there are to be.
        figures: Row by row, and for each row the conditions in their order.
        asked: Names of the runs that were asked for, which may be a part of the table.
    """

    table: Table
    folder: TableFolder
    seeds: int
    figures: Sequence[Figure]
    asked: frozenset[str]

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(figure.count(state) for figure in self.figures)

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of all runs."""
        return [one for figure in self.figures for one in figure.outcomes]

    @property
    def failures(self) -> list[Outcome]:
        """The runs that failed, among those that were asked for."""
        return [o for o in self.outcomes if o.state == FAILED and o.run.name in self.asked]

    @property
    def waiting(self) -> list[Outcome]:
        """The runs that were not begun, among those that were asked for."""
        return [o for o in self.outcomes if o.state == WAITING and o.run.name in self.asked]

    @property
    def setting(self) -> dict[str, Any]:
        """With what the runs were made: commands, machines, versions."""
        of = [one.run for one in self.outcomes if one.value is not None or not one.message]
        return setting.of(self.folder, of)

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        described = self.table.description
        return {
            "table": self.table.name,
            "description": described.description,
            "source": described.source,
            "task": self.table.task,
            "figure": described.figure,
            "unit": described.unit,
            "seeds": self.seeds,
            "folder": str(self.folder.path),
            "setting": self.setting,
            "runs": {state.replace(" ", "_"): self.count(state) for state in STATES},
            "figures": [figure.to_json() for figure in self.figures],
        }


def read(table: Table, folder: TableFolder, seeds: int, asked: Iterable[Run]) -> Results:
    """Read what came of a table so far.

    Args:
        table: The table.
        folder: Its folder.
        seeds: How many there are to be.
        asked: The runs that were asked for.
    """
    figures = [
        Figure(cell, [outcome(table, folder, run) for run in plan.all_runs(table, cell, seeds)])
        for cell in table.cells
    ]
    return Results(table, folder, seeds, figures, frozenset(run.name for run in asked))


def outcome(table: Table, folder: TableFolder, run: Run) -> Outcome:
    """Read the outcome of one run."""
    place = folder.run_folder(run)
    if message := _reason_to_leave_out(folder, run):
        return Outcome(run, str(place.path), WAITING, message)
    found = folder.outcome(run, place.finished(run.config))
    name = table.description.figure
    value = finite((found.figures or {}).get(name))
    if found.figures and value is None:
        what = "its test has no finite" if name in found.figures else "a test has no figure"
        found = replace(found, state=FAILED, message=f"{what} '{name}'")
    if value is not None and table.description.unit == "percent":
        value *= _PERCENT
    return Outcome(**vars(found), value=value)


def _reason_to_leave_out(folder: TableFolder, run: Run) -> str:
    """Say why a run folder is not that of the table's run; nothing if it is, or is not there."""
    try:
        changed = folder.changed(run, run.config)
    except ConfigError as error:
        return str(error)
    return f"its folder has another {', '.join(changed)}" if changed else ""
