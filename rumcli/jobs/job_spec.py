"""Jobs, each of which is a training run: specification, budget, states and events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import Field

from rumcli import config, errors
from rumcli.config import RunConfig, validation
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError
from rumcli.field_types import Section

FINISHED = "finished"
STOPPED = "stopped"  # its share of a budget is used up, and it was tested
STOPPED_EARLY = "stopped early"  # by successive halving
FAILED = "failed"
UNFINISHED = "unfinished"
WAITING = "not started"
STATES = (FINISHED, STOPPED, STOPPED_EARLY, UNFINISHED, FAILED, WAITING)
DONE = (FINISHED, STOPPED_EARLY)  # these are not started again

MIN_SHARE = 30.0  # minimum share in seconds; starting a process takes several of them
MIN_CONTINUE = 60.0  # seconds required to start a stopped run again
MIN_START = 5.0  # seconds required for a run to reach its first step
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_BUDGET_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)([hms]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])", re.ASCII)
_MAX_BUDGET = 366 * 86400.0
SAVE = "save"  # and stop
SAVE_AND_TEST = "save and test"

MAX_RUNS = 10_000
Settings = dict[str, Any]  # values by key path


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

    def rejected(self, jobs: Sequence[Job], message: str) -> None:
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


@dataclass(frozen=True)
class Machine:
    """Number of cores and GPUs of a machine."""

    cores: int
    gpus: int = 0

    def slots(self, cores: int, gpus: float) -> int:
        """Return the number of runs with the given cores and GPUs that fit on this machine."""
        if gpus == 0:
            return self.cores // cores
        # A fraction of a GPU must be on a single GPU.
        on_gpus = self.gpus * int(1 / gpus + 1e-9) if gpus < 1 else int(self.gpus // gpus)
        return min(self.cores // cores, on_gpus)


def slots(machines: Sequence[Machine], cores: int, gpus: float = 0.0) -> int:
    """Return the number of runs with the given cores and GPUs that fit on all machines.

    Raises:
        ConfigError: If a run fits on no machine.
    """
    if total := sum(machine.slots(cores, gpus) for machine in machines):
        return total
    largest = max((machine.cores for machine in machines), default=0)
    if largest < cores:
        raise ConfigError(
            f"cores_per_run: {cores} exceeds the {largest} cores of the largest machine"
        )
    most_gpus = max((machine.gpus for machine in machines), default=0)
    if most_gpus < gpus:
        raise ConfigError(
            f"gpus_per_run: {gpus:g} exceeds the {most_gpus} GPUs of the largest machine"
        )
    raise ConfigError(f"cores_per_run: {cores} and gpus_per_run: {gpus:g}, but no machine has both")


def parse_budget(text: str) -> float:
    """Parse a duration, as in 30m, 2h or 1h30m.

    Returns:
        Seconds.

    Raises:
        ConfigError: If it has another form, or is zero or more than a year.
    """
    typed = text.strip().lower()
    if _BUDGET_FORM.fullmatch(typed):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(typed))
        if 0 < seconds <= _MAX_BUDGET:
            return seconds
    where = errors.option("--budget", text)
    raise ConfigError(f"{where}: expected a time such as 30m, 2h or 1h30m, up to a year")


@dataclass(frozen=True)
class Share:
    """Share of a run in a budget.

    Attributes:
        size: Weight relative to the other runs.
        had: Seconds of training so far, in this budget or an earlier one.
    """

    size: float = 1.0
    had: float = 0.0

    @property
    def level(self) -> float:
        """Training time per weight; the run with the lowest level starts first."""
        return self.had / self.size


@dataclass(frozen=True)
class TimeLimit:
    """Time at which all runs save and stop.

    Attributes:
        last: Time of the last training step, in seconds of the monotonic clock; infinite for no
            limit.
        slots: Number of concurrent runs that share the time in proportion to their weights, and are
            tested when they stop. 0 disables shares: each run may take as long as it needs.
    """

    last: float = float("inf")
    slots: int = 0

    @classmethod
    def budget(cls, seconds: float, now: float, slots: int) -> Self:
        """Return a limit that reserves a tenth of the time, at most a minute, for the tests."""
        return cls(now + seconds - min(seconds / 10, 60.0), slots)

    @property
    def is_shared(self) -> bool:
        """Whether a run that has used its share is replaced by another."""
        return self.slots > 0

    @property
    def how(self) -> str:
        """Method of stopping a run: `SAVE` or `SAVE_AND_TEST`."""
        return SAVE_AND_TEST if self.is_shared else SAVE

    def is_over(self, now: float) -> bool:
        """Return whether all runs have to stop."""
        return now >= self.last

    def may_begin(self, now: float, again: bool) -> bool:
        """Return whether a run may start.

        Args:
            now: Current time.
            again: Whether the run was stopped before.
        """
        least = (MIN_CONTINUE if again else MIN_START) if self.is_shared else 0.0
        return not self.is_over(now) and self.last - now >= least

    def until(
        self, now: float, running: Sequence[float], waiting: Sequence[Share], test: float = 0.0
    ) -> float:
        """Return the time at which a run that starts now has used its share.

        The time not reserved for running runs is distributed over the waiting ones, so that all
        train in proportion to their weights. A run that trained longer in an earlier budget
        receives less of this one. A run that ends early leaves its time to the others.

        Args:
            now: Current time.
            running: End of the share of each running run.
            waiting: Shares of the waiting runs, starting with the run to start.
            test: Seconds for saving and testing a run after its share.
        """
        left = max(0.0, self.last - now)
        kept = sum(min(left, max(0.0, end - now) + test) for end in running)
        kept += test * len(waiting)
        level = _level(max(0.0, self.slots * left - kept), waiting)
        due = level * waiting[0].size - waiting[0].had
        return now + min(left, max(due, MIN_SHARE))


def _level(seconds: float, waiting: Sequence[Share]) -> float:
    """Return the common level to which the given time raises all runs below it."""
    size = level = 0.0
    for share in sorted(waiting, key=lambda share: share.level):
        if size and share.level >= level:
            break
        size += share.size
        seconds += share.had
        level = seconds / size
    return level


@dataclass(frozen=True)
class Resources:
    """Resources of each run.

    Attributes:
        cores: Number of cores; None divides the cores of this machine, and requests one on a
            cluster.
        gpus: Number of GPUs; None shares all GPUs of this machine, and requests none on a cluster.
        retries: Maximum number of restarts of a run after its process or machine died.
    """

    cores: int | None = None
    gpus: float | None = None
    retries: int = 3


class JobSetSpec(Section):
    """Keys common to all sets, documented in docs/sweeps.md."""

    preset: str | None = None
    task: str | None = None
    set: Settings = Field(default_factory=dict)
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] | None = None
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0, le=1000)] = 3

    @property
    def resources(self) -> Resources:
        """Resources of each run."""
        return Resources(self.cores_per_run, self.gpus_per_run, self.retries)


def base_config(document: Document, task: str | None, preset: str | None) -> RunConfig:
    """Return the base configuration, to which the settings of a file are applied.

    Raises:
        ConfigError: If the file names neither a task nor a preset, or an unknown one.
    """
    if task is None and preset is None:
        raise ConfigError(f"{document.source}: expected 'preset' or 'task', as in 'task: copying'")
    try:
        return config.build(preset, (), {("task", "name"): task})
    except ConfigError as error:
        raise ConfigError(f"{document.source}: {error}") from error


def check_settings(document: Document, place: KeyPath, settings: Mapping[str, Any]) -> None:
    """Check the keys of a section of key paths.

    Args:
        document: File that contains the section.
        place: Path of the section in the file.
        settings: Content of the section.

    Raises:
        ConfigError: If a key is not a key path, is set by a separate key of the file, or overlaps
            another key.
    """
    for key in settings:
        validation.check_key(document, place, key)
    validation.check_apart(document, place, settings)


def changed(
    base: RunConfig, document: Document, *sections: tuple[KeyPath, Mapping[str, Any]]
) -> RunConfig:
    """Return the configuration of a run.

    Args:
        base: Base configuration.
        document: File that contains the sections.
        sections: Sections with their paths in the file; later ones take precedence.

    Raises:
        ConfigError: If a setting is invalid, or incompatible with others.
    """
    run = config.changed(base, validation.layer(document, *sections))
    if run.task.subtasks:
        raise ConfigError(
            f"{document.source}: task.subtask: a run cannot have all; list the numbers"
        )
    return run
