"""The directory of a set of runs: ordinary run directories, each readable without this code.

Where the command ended a run itself, its directory has an `ended.json`. What describes the set is
in `sweeps.folder` and `reproduction.folder`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rumcli import config, files, folders
from rumcli.config import KeyPath, RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.jobs.budget import Share
from rumcli.jobs.events import FAILED, FINISHED, STOPPED, STOPPED_EARLY, UNFINISHED, WAITING, Job
from rumcli.training.run_folder import RunFolder

STOP = "stop"  # a file that requests a run on another machine to stop
_ENDED = "ended.json"
_EARLIER = ("sweep.json", "reproduction.json")  # names of `ended.json` in earlier versions
# Keys in which a run that continues may differ from its directory.
_CHANGEABLE: tuple[KeyPath, ...] = (("task", "data"),)


@dataclass(frozen=True)
class Mark:
    """The end of a run through the command, as `ended.json` has it.

    Attributes:
        state: `FAILED`, `STOPPED` or `STOPPED_EARLY`.
        message: Reason, in one line.
        step: Number of training steps at which it was stopped.
        figures: Test metrics of a run that was stopped, and may have failed later.
        seconds: Training time until then.
    """

    state: str
    message: str = ""
    step: int = 0
    figures: dict[str, Any] | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of one run, from its directory alone.

    Attributes:
        run: The run.
        folder: Its directory.
        state: One of `events.STATES`.
        message: Why it failed or was stopped, or why its directory does not count; may be empty.
        step: Number of training steps of the test; without a test those of the last evaluation.
        seconds: Training time of these steps.
        figures: Its summary or, of a run that was stopped, its test; None if there is neither.
        records: Its evaluations.
    """

    run: Any
    folder: str
    state: str
    message: str = ""
    step: int = 0
    seconds: float = 0.0
    figures: dict[str, Any] | None = None
    records: Sequence[dict[str, Any]] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the documents of all commands have."""
        return {
            "seed": self.run.seed,
            "folder": self.folder,
            "state": self.state,
            "message": self.message,
            "step": self.step,
            "seconds": self.seconds,
        }


class JobFolder:
    """The run directories of a set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._unwritten: dict[str, Mark] = {}

    def run_folder(self, job: Job) -> RunFolder:
        """Return the directory of a run, which may not exist yet."""
        return RunFolder(self.path / job.name)

    def begin(self, job: Job, asked: RunConfig) -> RunFolder:
        """Create the directory of a run, or open it to continue.

        Raises:
            ConfigError: If a link, a file, or the directory of another run is there.
            RunError: If it can't be written.
        """
        place = self.run_folder(job)
        folders.check_own(place.path, "a set of runs keeps its runs")
        try:
            if not (place.path / "config.yaml").exists():
                folders.check_free(place.path, ["config.yaml"])
                try:
                    return RunFolder.create(place.path, asked)
                except ConfigError as error:  # the user has not typed this path
                    raise RunError(str(error)) from error
            if changed := self.changed(job, asked):
                raise ConfigError(
                    f"{place.path}: its configuration differs from the one to be run in "
                    f"{', '.join(changed)}"
                )
            found = RunFolder.open(place.path)
            if found.config != asked:
                found.write_config(asked)
            files.remove(place.path / STOP)
            self._unmark(job)
        except OSError as error:
            raise RunError(files.cannot_write(place.path, error)) from error
        return found

    def changed(self, job: Job, asked: RunConfig) -> list[str]:
        """Return the keys in which an existing directory of a run has another configuration."""
        place = self.run_folder(job)
        if not (place.path / "config.yaml").exists():
            return []
        keys = config.differences(place.config, asked)
        return [".".join(key) for key in keys if key not in _CHANGEABLE]

    def mark(self, job: Job, mark: Mark) -> None:
        """Record that the command ended a run.

        A mark that can't be written, as to a full disk, is kept in memory. Without it the run
        counts as unfinished the next time and may continue: no reason to end the others.
        """
        try:
            self.run_folder(job).write_json(_ENDED, vars(mark))
        except OSError:
            self._unwritten[job.name] = mark

    def mark_failed(self, job: Job, message: str) -> None:
        """Record that a run failed; the test of an earlier stop remains its result."""
        self.mark(job, replace(self.mark_of(job) or Mark(FAILED), state=FAILED, message=message))

    def _unmark(self, job: Job) -> None:
        """Remove the mark of a run that continues, unless it has the test of an earlier stop."""
        mark = self.mark_of(job)
        self._unwritten.pop(job.name, None)
        if mark is not None and mark.figures and mark.state != STOPPED_EARLY:
            if mark.state == FAILED:
                self.mark(job, replace(mark, state=STOPPED, message=""))
        else:
            files.remove(self.run_folder(job).path / _ENDED)

    def mark_of(self, job: Job) -> Mark | None:
        """Return the mark of a run; None if there is none, or the file has something else."""
        if job.name in self._unwritten:
            return self._unwritten[job.name]
        found = self.run_folder(job).read_json(_ENDED)
        if not isinstance(found, dict) or found.get("state") not in (
            FAILED,
            STOPPED,
            STOPPED_EARLY,
        ):
            return None
        step, figures, seconds = (found.get(key) for key in ("step", "figures", "seconds"))
        is_time = type(seconds) in (int, float) and 0 <= seconds < 1e12
        return Mark(
            found["state"],
            str(found.get("message", ""))[:2000],
            step if type(step) is int and step >= 0 else 0,
            figures if isinstance(figures, dict) else None,
            float(seconds) if is_time else 0.0,
        )

    def records(self, job: Job) -> list[dict[str, Any]]:
        """Return the evaluations of a run; none if the file can't be read."""
        try:
            return self.run_folder(job).records()
        except RunError:  # one that can't be read must not hide all the others
            return []

    def share(self, job: Job) -> Share:
        """Return the weight of a run in a budget, and the time that it has had."""
        mark, records = self.mark_of(job), self.records(job)
        noted = mark.seconds if mark else 0.0
        last = finite(records[-1].get("seconds")) if records else None
        return Share(job.budget_weight, max(noted, last or 0.0))

    def outcome(self, job: Job, summary: dict[str, Any] | None) -> Outcome:
        """Read the outcome of a run.

        Args:
            job: The run.
            summary: The summary of one that is finished; None of another.
        """
        place, mark, records = self.run_folder(job), self.mark_of(job), self.records(job)
        last = records[-1] if records else {}
        step, seconds, message = int(last.get("step", 0)), finite(last.get("seconds")), ""
        figures = summary
        if summary:
            state, step, seconds = FINISHED, summary["steps"], summary["seconds"]
        elif mark:
            state, message, figures = mark.state, mark.message, mark.figures
            if figures:  # the run may have continued since, untested
                step, seconds = mark.step, mark.seconds or seconds
        else:
            state = UNFINISHED if records or place.checkpoints.numbered() else WAITING
        return Outcome(
            job, str(place.path), state, message, step, finite(seconds) or 0.0, figures, records
        )


def refuse_earlier(path: Path, command: str) -> None:
    """Make sure that a directory is not of an earlier version, whose marks are not read.

    Raises:
        ConfigError: If it is.
    """
    for name in _EARLIER:
        if found := next(path.glob(f"*/{name}"), None):
            raise ConfigError(
                f"{found} is of an earlier version of '{command}'; continue {path} with that "
                "version, or start in a new folder"
            )


def spread(values: Sequence[float]) -> dict[str, Any] | None:
    """Return mean and standard deviation of a sample; None of nothing, no deviation of one."""
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "deviation": deviation, "of": len(values)}


def finite(value: Any) -> float | None:
    """Return a finite number that a file has; None for anything else."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None
