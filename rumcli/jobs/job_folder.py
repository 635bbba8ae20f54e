"""Directory of a set of runs, readable without this code, and the results computed from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import TypeAdapter, ValidationError

from rumcli import atomic_io, config, errors, output_dirs
from rumcli.config import KeyPath
from rumcli.errors import ConfigError, Metavar, RunError
from rumcli.jobs.job_spec import (
    DONE,
    FAILED,
    FINISHED,
    STATES,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    WAITING,
    Job,
    JobGroup,
    RunResult,
    Share,
)
from rumcli.json_schemas.base import Document
from rumcli.json_schemas.results import SeedStatistics, StateCounts
from rumcli.training.run_dir import CONFIG, RunDir

_RESULTS = TypeAdapter(RunResult)
STOP = "stop"  # a file that requests a run on another machine to stop
_RESULT = "result.json"
_EARLIER = ("sweep.json", "reproduction.json", "ended.json")  # file names of earlier versions
# Keys that may differ from the directory when a run continues.
_CHANGEABLE: tuple[KeyPath, ...] = (("task", "data"),)


class JobFolder:
    """Files of a set of runs; subclasses add those that describe it.

    Attributes:
        command: Command that creates such a directory.
        argument: Placeholder for its argument.
        noun: Noun for the set.
        described_by: Names of the files that describe the set, in the order in which they are
            written.
    """

    command: ClassVar[str]
    argument: ClassVar[str]
    noun: ClassVar[str]
    described_by: ClassVar[Sequence[str]]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unwritten: dict[str, RunResult] = {}

    @classmethod
    def is_not_started(cls, path: Path) -> bool:
        """Return whether a directory contains only the leftovers of an interrupted creation."""
        try:
            return any(path.iterdir()) and output_dirs.is_not_started(path, cls.described_by)
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the directory of an earlier set.

        Raises:
            ConfigError: If it is missing, of another kind, or of an earlier version.
        """
        if not path.is_dir():
            raise ConfigError(
                f"there is no directory {path}; expected the directory of a {cls.noun}"
            )
        if cls.is_not_started(path):
            raise ConfigError(
                f"{path} has no {cls.described_by[-1]}: the process that created it ended before "
                f"the first run started; to start it: "
                f"{errors.call(cls.command, Metavar(cls.argument), out=path)}"
            )
        for name in cls.described_by:
            if not (path / name).is_file():
                raise ConfigError(f"{path} has no {name}; expected the directory of a {cls.noun}")
        cls.reject_earlier(path)
        return cls(path)

    @classmethod
    def reject_earlier(cls, path: Path) -> None:
        """Reject a directory of an earlier version, whose results would be ignored.

        Raises:
            ConfigError: If it is one.
        """
        for name in _EARLIER:
            if found := next(path.glob(f"*/{name}"), None):
                raise ConfigError(
                    f"{found} is from an earlier version of 'rum {cls.command}'; continue {path} "
                    "with that version, or choose a new directory"
                )

    def run_dir(self, job: Job) -> RunDir:
        """Return the directory of a run, which may not exist yet."""
        return RunDir(self.path / job.name)

    def begin(self, job: Job) -> RunDir:
        """Create the directory of a run, or open it to continue.

        Raises:
            ConfigError: If the configuration is invalid, or the path is a link, a file, or the
                directory of another run.
            RunError: If it cannot be written.
        """
        if job.config is None:
            raise ConfigError(job.error)
        run_dir = self.run_dir(job)
        output_dirs.check_own(run_dir.path, "a set of runs keeps its runs")
        try:
            if not (run_dir.path / CONFIG).exists():
                output_dirs.check_free(run_dir.path, [CONFIG])
                try:
                    return RunDir.create(run_dir.path, job.config)
                except ConfigError as error:  # the user did not type this path
                    raise RunError(str(error)) from error
            self.check([job])
            existing = RunDir.open(run_dir.path)
            if existing.config != job.config:
                existing.write_config(job.config)
            atomic_io.remove(run_dir.path / STOP)
            self._unmark(job)
        except OSError as error:
            raise RunError(atomic_io.cannot_write(run_dir.path, error)) from error
        return existing

    def changed(self, job: Job) -> list[str]:
        """Return the keys whose values differ between a run and its existing directory."""
        run_dir = self.run_dir(job)
        if job.config is None or not (run_dir.path / CONFIG).exists():
            return []
        keys = config.differences(run_dir.config, job.config)
        return [".".join(key) for key in keys if key not in _CHANGEABLE]

    def check(self, jobs: Iterable[Job]) -> None:
        """Check that existing directories belong to the given runs.

        Raises:
            ConfigError: If one does not.
        """
        others: list[tuple[Path, list[str]]] = []
        for job in jobs:
            path = self.run_dir(job).path
            if path.exists() and not path.is_dir():
                raise ConfigError(
                    f"{path} is not a directory; expected a run directory, or no file"
                )
            if changed := self.changed(job):
                others.append((path, changed))
        if others:
            path, changed = others[0]
            also = f" and {len(others) - 1} more" if others[1:] else ""
            raise ConfigError(
                f"{path}{also}: the configuration differs from that of the new run in "
                f"{', '.join(changed)}; choose another {errors.option('--out')}, or remove that "
                "directory"
            )

    def mark(self, job: Job, result: RunResult) -> None:
        """Record that the command ended a run.

        If the file cannot be written, for example on a full disk, the result is kept in memory
        only. The next command then counts the run as unfinished, which is no reason to abort the
        others.
        """
        try:
            self.run_dir(job).write_json(_RESULT, vars(result))
        except OSError:
            self._unwritten[job.name] = result

    def mark_failed(self, job: Job, message: str) -> None:
        """Record that a run failed; the test of an earlier stop remains its result."""
        before = self.mark_of(job) or RunResult(FAILED)
        self.mark(job, replace(before, state=FAILED, message=message))

    def _unmark(self, job: Job) -> None:
        """Remove the result of a run that continues, unless it has the test of an earlier stop."""
        before = self.mark_of(job)
        self._unwritten.pop(job.name, None)
        if before is not None and before.metrics and before.state != STOPPED_EARLY:
            if before.state == FAILED:
                self.mark(job, replace(before, state=STOPPED, message=""))
        else:
            atomic_io.remove(self.run_dir(job).path / _RESULT)

    def mark_of(self, job: Job) -> RunResult | None:
        """Return the recorded result of a run; None if the file is missing or invalid."""
        if job.name in self._unwritten:
            return self._unwritten[job.name]
        try:
            result = _RESULTS.validate_python(self.run_dir(job).read_json(_RESULT))
        except ValidationError:
            return None
        return result if result.state in (FAILED, STOPPED, STOPPED_EARLY) else None

    def records(self, job: Job) -> list[dict[str, Any]]:
        """Return the evaluations of a run; empty if the file cannot be read."""
        try:
            return self.run_dir(job).records()
        except RunError:  # an unreadable file must not hide the other runs
            return []

    def share(self, job: Job) -> Share:
        """Return the weight of a run in a budget, and its training time."""
        mark, records = self.mark_of(job), self.records(job)
        recorded = mark.seconds if mark else 0.0
        last = finite(records[-1].get("seconds")) if records else None
        return Share(job.budget_weight, max(recorded, last or 0.0))

    def write(self, name: str, text: str) -> None:
        """Write a file of the set.

        Raises:
            RunError: If it cannot be written.
        """
        try:
            atomic_io.write_text(self.path / name, text)
        except OSError as error:
            raise RunError(atomic_io.cannot_write(self.path, error)) from error


def finite(value: Any) -> float | None:
    """Return the value if it is a finite number; else None."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


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
        return [run for run in self.runs if run.value is not None]

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
        parts, seeds = {run.job.part for run in self.runs}, [run.job.seed for run in self.done]
        return all(seeds.count(seed) == len(parts) for seed in seeds)

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(run.state == state for run in self.runs)

    def _by_seed(self, name: str) -> list[float]:
        by_seed: dict[int, list[float]] = {}
        for run in self.runs:
            if (value := getattr(run, name)) is not None:
                by_seed.setdefault(run.job.seed, []).append(value)
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
        return [run for group in self.groups for run in group.runs]

    @property
    def due(self) -> list[JobResult]:
        """Results of the runs that are due."""
        return [run for run in self.runs if run.job.is_due]

    @property
    def done(self) -> int:
        """Number of due runs that are finished or were stopped early."""
        return sum(run.state in DONE for run in self.due)

    @property
    def failures(self) -> list[JobResult]:
        """Due runs that failed."""
        return [run for run in self.due if run.state == FAILED]

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


def read_results(
    folder: JobFolder, groups: Iterable[JobGroup], measure: Measure
) -> list[GroupResult]:
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
    run_dir = folder.run_dir(job)
    empty = JobResult(WAITING, job=job, folder=str(run_dir.path))
    try:
        changed = folder.changed(job)
    except ConfigError as error:
        return replace(empty, message=str(error))
    if changed:
        return replace(empty, message=f"its directory has a different {', '.join(changed)}")
    summary = run_dir.finished(job.config) if job.config else None
    recorded, records = folder.mark_of(job), folder.records(job)
    last = records[-1] if records else {}
    step, seconds = int(last.get("step", 0)), finite(last.get("seconds")) or 0.0
    if summary:
        seconds = finite(summary["seconds"]) or 0.0
        result = RunResult(FINISHED, "", summary, summary["steps"], seconds)
    elif recorded and recorded.metrics:  # the run may have continued since, untested
        result = replace(recorded, seconds=recorded.seconds or seconds)
    elif recorded:
        result = replace(recorded, step=step, seconds=seconds)
    elif records or run_dir.checkpoints.numbered():
        result = RunResult(UNFINISHED, step=step, seconds=seconds)
    else:
        result = RunResult(FAILED if job.error else WAITING, job.error)
    return JobResult(**vars(result), job=job, folder=str(run_dir.path), records=records)


def statistics_of(values: Sequence[float]) -> SeedStatistics | None:
    """Return mean and sample standard deviation: None for no values, no deviation for one."""
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return SeedStatistics(mean=statistics.fmean(values), deviation=deviation, of=len(values))
