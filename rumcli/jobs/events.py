"""A run of a set, its progress, and the listener that follows a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

FINISHED = "finished"
STOPPED = "stopped"  # its share of a budget is used up, and it was tested
STOPPED_EARLY = "stopped early"  # by successive halving
FAILED = "failed"
UNFINISHED = "unfinished"
WAITING = "not begun"
STATES = (FINISHED, STOPPED, STOPPED_EARLY, UNFINISHED, FAILED, WAITING)


class Job(Protocol):
    """One run of a set; hashable."""

    @property
    def name(self) -> str:
        """Name of the run directory."""

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings that distinguish it from the others, by key path; may be empty."""

    @property
    def budget_weight(self) -> float:
        """Its part of a budget relative to those of the other runs."""


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run.

    Attributes:
        step: Number of training steps done.
        steps: Number of training steps of the whole run.
        metric: Name of the monitored metric.
        value: Its latest validation value; None if there is none yet.
        higher_is_better: Direction of the metric.
    """

    step: int
    steps: int
    metric: str
    value: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class RunResult:
    """The end of a run, or of a part of it.

    Attributes:
        state: `FINISHED`, `FAILED`, or `UNFINISHED` if it was stopped; it is saved then.
        message: Reason for a failure, in one line.
        figures: Test metrics of a run that was stopped and tested; None without a test.
        step: Number of training steps done.
        seconds: Training time of this part and those before it.
    """

    state: str
    message: str = ""
    figures: dict[str, Any] | None = None
    step: int = 0
    seconds: float = 0.0


class JobListener:
    """Receives the events of a set of runs; this one ignores them."""

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Handle the start or the continuation of the set.

        Args:
            folder: Directory of the set.
            planned: Number of runs; None if only time limits them.
            done: Number of runs that were done before.
            slots: Number of runs at the same time.
        """

    def refused(self, jobs: Sequence[Job], message: str) -> None:
        """Handle a point of which no run can start, for the reason in `message`."""

    def began(self, job: Job) -> None:
        """Handle the start or the continuation of a run."""

    def progressed(self, job: Job, progress: RunProgress, machine: str) -> None:
        """Handle the progress of a run; `machine` is empty if there is only one."""

    def retried(self, job: Job, message: str) -> None:
        """Handle the death of a run's process or machine; the run is started again."""

    def ended(self, job: Job, state: str, message: str) -> None:
        """Handle the end of a run in one of `STATES`."""

    def stopping(self, why: str) -> None:
        """Handle the request that all runs save and stop."""

    def finished(self) -> None:
        """Handle the end of the set."""
