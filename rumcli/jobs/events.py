"""Data classes for a run of a set, its progress and result, and the listener interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from rumcli.config import RunConfig

FINISHED = "finished"
STOPPED = "stopped"  # its share of a budget is used up, and it was tested
STOPPED_EARLY = "stopped early"  # by successive halving
FAILED = "failed"
UNFINISHED = "unfinished"
WAITING = "not begun"
STATES = (FINISHED, STOPPED, STOPPED_EARLY, UNFINISHED, FAILED, WAITING)
DONE = (FINISHED, STOPPED_EARLY)  # these are not started again


@dataclass(frozen=True)
class Job:
    """Run of a set, identified by its name.

    Attributes:
        name: Name of the run directory.
        seed: Seed of the run.
        config: Configuration of the run; None if it is invalid.
        error: Reason why the configuration is invalid; empty if it is valid.
        settings: Settings that distinguish it from the others, by key path; may be empty.
        part: Index among the runs of one seed over which a result is averaged.
        budget_weight: Share of a budget relative to the other runs.
        is_due: Whether to execute it. Results may include further runs.
    """

    name: str
    seed: int = field(compare=False)
    config: RunConfig | None = field(default=None, compare=False, repr=False)
    error: str = field(default="", compare=False)
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    part: int = field(default=0, compare=False)
    budget_weight: float = field(default=1.0, compare=False)
    is_due: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class JobGroup:
    """Runs with a common result: a point of a search with all its seeds, or an entry of a table.

    Attributes:
        key: Number of the point, or the entry.
        jobs: Runs of the group.
    """

    key: Any
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run.

    Attributes:
        step: Number of training steps done.
        steps: Number of training steps of the whole run.
        metric: Name of the monitored metric.
        value: Latest validation value of the metric; None before the first validation.
        higher_is_better: Direction of the metric.
    """

    step: int
    steps: int
    metric: str
    value: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class RunResult:
    """End of a run or of one of its shares, as reported by an executor and recorded in a file.

    Attributes:
        state: One of `STATES`. A run that an executor reports as `UNFINISHED` is saved.
        message: Reason of a failure or stop, in one line; may be empty.
        metrics: Test metrics; None without a test.
        step: Number of training steps done; with a test, the steps of the tested weights.
        seconds: Training time of these steps.
    """

    state: str
    message: str = ""
    metrics: dict[str, Any] | None = None
    step: Annotated[int, Field(ge=0, strict=True)] = 0
    seconds: Annotated[float, Field(ge=0, lt=1e12, strict=True)] = 0.0


class JobListener:
    """Listener for the events of a set of runs; the base class ignores them."""

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Handle the start or continuation of the set.

        Args:
            folder: Directory of the set.
            planned: Number of runs; None if only time limits them.
            done: Number of runs completed by earlier commands.
            slots: Number of concurrent runs.
        """

    def refused(self, jobs: Sequence[Job], message: str) -> None:
        """Handle a group that cannot start, for the reason in `message`."""

    def began(self, job: Job) -> None:
        """Handle the start or continuation of a run."""

    def progressed(self, job: Job, progress: RunProgress, machine: str) -> None:
        """Handle the progress of a run; `machine` is empty if there is only one."""

    def retried(self, job: Job, message: str) -> None:
        """Handle the death of a run's process or machine; the run is restarted."""

    def ended(self, job: Job, state: str, message: str) -> None:
        """Handle the end of a run in one of `STATES`."""

    def stopping(self, why: str) -> None:
        """Handle the request that all runs save and stop."""

    def finished(self) -> None:
        """Handle the end of the set."""
