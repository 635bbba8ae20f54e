"""Results of a set of runs, computed from its directories."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rumcli import atomic_io
from rumcli.errors import ConfigError
from rumcli.jobs.events import (
    DONE,
    FAILED,
    FINISHED,
    STATES,
    UNFINISHED,
    WAITING,
    Job,
    JobGroup,
    RunResult,
)
from rumcli.jobs.folder import JobFolder, finite
from rumcli.json_schemas.base import Document
from rumcli.json_schemas.job_sets import SeedStatistics, StateCounts


@dataclass(frozen=True, kw_only=True)
class JobResult(RunResult):
    """Result of one run, read from its directory.

    Attributes:
        job: Run that was executed.
        folder: Directory of the run.
        records: Evaluations of the run.
        value: Metric by which the set compares its runs; None if there is none.
        test: Test value of the same metric; None without a test.
    """

    job: Job
    folder: str
    records: Sequence[dict[str, Any]] = field(default=(), compare=False)
    value: float | None = None
    test: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of a run that all documents share."""
        names = ("folder", "state", "message", "step", "seconds")
        return {"seed": self.job.seed, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class GroupResult:
    """Common result of a group of runs.

    Attributes:
        key: Key of the group.
        runs: Results of its runs.
    """

    key: Any
    runs: Sequence[JobResult]

    @property
    def done(self) -> list[JobResult]:
        """Runs that have a value."""
        return [one for one in self.runs if one.value is not None]

    @property
    def values(self) -> list[float]:
        """Value of each seed that has one: the mean over its parts."""
        return self._by_seed("value")

    @property
    def tests(self) -> list[float]:
        """Test value of each seed that has one: the mean over its parts."""
        return self._by_seed("test")

    @property
    def is_whole(self) -> bool:
        """Whether every run has a value and none failed."""
        return len(self.done) == len(self.runs) and not self.count(FAILED)

    @property
    def has_all_parts(self) -> bool:
        """Whether every seed with a value has all its parts."""
        parts, seeds = {one.job.part for one in self.runs}, [one.job.seed for one in self.done]
        return all(seeds.count(seed) == len(parts) for seed in seeds)

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(one.state == state for one in self.runs)

    def _by_seed(self, name: str) -> list[float]:
        by_seed: dict[int, list[float]] = {}
        for one in self.runs:
            if (value := getattr(one, name)) is not None:
                by_seed.setdefault(one.job.seed, []).append(value)
        return [statistics.fmean(values) for values in by_seed.values()]


@dataclass(frozen=True)
class SetResults:
    """Results of a set of runs.

    Attributes:
        folder: Directory of the set.
        groups: Results of its groups, in the order of the set.
        planned: Number of runs that are due; None if only time limits them.
    """

    folder: JobFolder
    groups: Sequence[GroupResult]
    planned: int | None

    @property
    def runs(self) -> list[JobResult]:
        """Results of all runs."""
        return [one for group in self.groups for one in group.runs]

    @property
    def due(self) -> list[JobResult]:
        """Results of the runs that are due."""
        return [one for one in self.runs if one.job.is_due]

    @property
    def done(self) -> int:
        """Number of due runs that are finished or were stopped early."""
        return sum(one.state in DONE for one in self.due)

    @property
    def failures(self) -> list[JobResult]:
        """Due runs that failed."""
        return [one for one in self.due if one.state == FAILED]

    @property
    def is_complete(self) -> bool:
        """Whether no run is left."""
        return self.done == self.planned

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(group.count(state) for group in self.groups)

    @property
    def states(self) -> StateCounts:
        """Number of runs in each state."""
        return StateCounts(**{state.replace(" ", "_"): self.count(state) for state in STATES})

    @property
    def document(self) -> Document:
        """Document of the command."""
        raise NotImplementedError

    def write(self) -> None:
        """Write `results.json`.

        Raises:
            RunError: If it cannot be written.
        """
        text = atomic_io.to_json(self.document.to_dict(), indent=2)
        self.folder.write("results.json", f"{text}\n")


Measure = Callable[[JobResult], JobResult]


def read(folder: JobFolder, groups: Iterable[JobGroup], measure: Measure) -> list[GroupResult]:
    """Read the results of groups of runs.

    Args:
        folder: Directory of the set.
        groups: Groups to read.
        measure: Adds the value of a run to its result.
    """
    return [
        GroupResult(group.key, [measure(read_run(folder, job)) for job in group.jobs])
        for group in groups
    ]


def read_run(folder: JobFolder, job: Job) -> JobResult:
    """Read the result of one run; a directory with another configuration yields only a message."""
    place = folder.run_folder(job)
    empty = JobResult(WAITING, job=job, folder=str(place.path))
    try:
        changed = folder.changed(job)
    except ConfigError as error:
        return replace(empty, message=str(error))
    if changed:
        return replace(empty, message=f"its folder has another {', '.join(changed)}")
    summary = place.finished(job.config) if job.config else None
    mark, records = folder.mark_of(job), folder.records(job)
    last = records[-1] if records else {}
    step, seconds = int(last.get("step", 0)), finite(last.get("seconds")) or 0.0
    if summary:
        seconds = finite(summary["seconds"]) or 0.0
        found = RunResult(FINISHED, "", summary, summary["steps"], seconds)
    elif mark and mark.metrics:  # the run may have continued since, untested
        found = replace(mark, seconds=mark.seconds or seconds)
    elif mark:
        found = replace(mark, step=step, seconds=seconds)
    elif records or place.checkpoints.numbered():
        found = RunResult(UNFINISHED, step=step, seconds=seconds)
    else:
        found = RunResult(FAILED if job.error else WAITING, job.error)
    return JobResult(**vars(found), job=job, folder=str(place.path), records=records)


def statistics_of(values: Sequence[float]) -> SeedStatistics | None:
    """Return mean and sample standard deviation: None for no values, no deviation for one."""
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return SeedStatistics(mean=statistics.fmean(values), deviation=deviation, of=len(values))
