"""What a sweep tells while it is under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Run(Protocol):
    """One of many runs."""

    @property
    def name(self) -> str:
        """The name of its folder."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it has otherwise than the others, by key path; may be empty."""


@dataclass(frozen=True)
class Standing:
    """How far a run is.

    Attributes:
        step: Training steps done.
        steps: Steps that it has.
        metric: The monitored metric.
        value: Its latest validation; None if there is none yet.
        higher_is_better: Its direction.
    """

    step: int
    steps: int
    metric: str
    value: float | None
    higher_is_better: bool


class SweepListener:
    """Hears of a sweep's progress; this one says nothing of it."""

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Hear that it begins, or goes on.

        Args:
            folder: Its folder.
            planned: Number of runs; None if only time limits them.
            done: How many of them were done before.
            slots: How many can run at the same time.
        """

    def refused(self, runs: Sequence[Run], message: str) -> None:
        """Hear that none of these runs, all of one point, can be begun, and why."""

    def began(self, run: Run) -> None:
        """Hear that a run begins, or goes on."""

    def progressed(self, run: Run, standing: Standing, machine: str) -> None:
        """Hear how far a run is, and where."""

    def retried(self, run: Run, message: str) -> None:
        """Hear that a run's process or machine died, and that it goes on elsewhere."""

    def ended(self, run: Run, state: str, message: str) -> None:
        """Hear that a run has ended; the states are those of `results`."""

    def stopping(self, why: str) -> None:
        """Hear that all runs are asked to save and stop."""

    def finished(self) -> None:
        """Hear that nothing more follows."""
