"""Many runs under way on the screen, as of a sweep: live in a terminal, lines in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rumcli.jobs.events import (
    FAILED,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    WAITING,
    Job,
    JobListener,
    RunProgress,
)
from rumcli.reporting import wording
from rumcli.reporting.runs_under_way import Line, RunsUnderWay, figure
from rumcli.reporting.screen import Lines, Picture
from rumcli.reporting.sweep import settings
from rumcli.training.run_folder import RunFolder

_TO_GO_ON = (UNFINISHED, STOPPED)
_SECONDS_BETWEEN_LINES = 30.0


@dataclass(frozen=True)
class Kind:
    """What many runs are, together.

    Attributes:
        what: Their name.
        ranks: Whether one of them can be the best.
        seconds: In which they are to be done; None: no limit.
    """

    what: str = "sweep"
    ranks: bool = True
    seconds: float | None = None


_SWEEP = Kind()


def listener(console: Console, quiet: bool, live: bool, kind: Kind = _SWEEP) -> JobListener:
    """Choose how to follow many runs.

    Args:
        console: Where to write.
        quiet: Whether to say nothing but warnings.
        live: Whether the console is a terminal that can redraw lines.
        kind: What they are.
    """
    if quiet:
        return QuietSweep(console)
    return LiveSweep(console, kind) if live else PlainSweep(console, kind)


class QuietSweep(Lines, JobListener):
    """Shows only what went wrong."""

    def refused(self, jobs: Sequence[Job], message: str) -> None:
        """Show it once for all seeds."""
        others = f" and {wording.counted(len(jobs) - 1, 'other')} of its point" if jobs[1:] else ""
        self._warn(f"{jobs[0].name}{others} can't be run: {message}")

    def retried(self, job: Job, message: str) -> None:
        """Show what died."""
        self._warn(f"{job.name}: {message}; going on from its last checkpoint")

    def ended(self, job: Job, state: str, message: str) -> None:
        """Show what failed."""
        if state == FAILED:
            self._warn(f"{job.name} failed: {message}")


class PlainSweep(QuietSweep):
    """A line when a run begins and ends, and from time to time one about all."""

    def __init__(self, console: Console, kind: Kind = _SWEEP) -> None:
        super().__init__(console)
        self._kind = kind
        self._folder = Path()
        self._planned: int | None = None
        self._done: Counter[str] = Counter()
        self._running: dict[Job, tuple[RunProgress | None, str]] = {}
        self._latest: dict[Job, RunProgress] = {}  # with a value
        self._best: tuple[Job, RunProgress] | None = None
        self._began = self._last_line = time.monotonic()

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Show what will be done."""
        self._folder = Path(folder)
        self._planned = planned
        self._done["done before"] = done
        count = "runs until the time is over"
        if planned is not None:
            count = wording.counted(planned, "run")
        before = f", {done} of them done before" if done else ""
        self._say(
            f"{self._kind.what} of {count}{before}; {slots} at the same time; folder {folder}"
        )

    def refused(self, jobs: Sequence[Job], message: str) -> None:
        """Show it once for all seeds, and count them."""
        self._done[FAILED] += len(jobs)
        super().refused(jobs, message)
        self._changed()

    def began(self, job: Job) -> None:
        """Show which run begins."""
        self._running[job] = (None, "")
        self._announce(job)
        self._changed()

    def progressed(self, job: Job, progress: RunProgress, machine: str) -> None:
        """Keep it for the line about all."""
        self._running[job] = (progress, machine)
        if progress.value is not None:
            self._latest[job] = progress
            best = self._best[1].value if self._best else None
            sign = -1 if progress.higher_is_better else 1
            if self._kind.ranks and (best is None or sign * progress.value < sign * best):
                self._best = (job, progress)
        self._changed()

    def retried(self, job: Job, message: str) -> None:
        """Show what died."""
        self._running.pop(job, None)
        super().retried(job, message)
        self._changed()

    def ended(self, job: Job, state: str, message: str) -> None:
        """Show how a run ended."""
        self._running.pop(job, None)
        self._done[state] += 1
        super().ended(job, state, message)
        if state != FAILED:
            latest = self._latest.get(job)
            value = f", validation {figure(latest)}" if latest else ""
            how = state
            if state == UNFINISHED:
                # One that is stopped before it trains has saved nothing, unless in an earlier part.
                has_saved = bool(RunFolder(self._folder / job.name).checkpoints.numbered())
                how = "saved" if has_saved else WAITING
            self._say(f"{job.name} {how}{f' {message}' if message else ''}{value}")
        self._changed()

    def stopping(self, why: str) -> None:
        """Show that all is being saved."""
        self._say(f"{why}; the runs save and stop")

    def _announce(self, job: Job) -> None:
        self._say(f"{job.name} begins" + (f": {settings(job.settings)}" if job.settings else ""))

    def _changed(self) -> None:
        """Show how far all runs are, from time to time."""
        if self._running and time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._say(self._headline)

    @property
    def _headline(self) -> str:
        ended = sum(count for state, count in self._done.items() if state not in _TO_GO_ON)
        done = wording.counted_of(ended, self._planned, "run")
        parts = [f"{done} done", f"{len(self._running)} running"]
        parts += [
            f"{self._done[state]} {state}" for state in (STOPPED_EARLY, FAILED) if self._done[state]
        ]
        best = f"; best {figure(self._best[1])}, {self._best[0].name}" if self._best else ""
        spent = wording.duration(time.monotonic() - self._began)
        if self._kind.seconds is not None:
            spent += f" of {wording.duration(self._kind.seconds)}"
        return f"{', '.join(parts)}, {spent}{best}"


class LiveSweep(PlainSweep):
    """A table of the runs under way at the bottom, with the lines of events above."""

    def __init__(self, console: Console, kind: Kind = _SWEEP) -> None:
        super().__init__(console, kind)
        # What Ray prints is not to stand above the table: `cluster` sees to it.
        self._bottom = Picture(console, redirect_stdout=False)

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Show the table."""
        super().started(folder, planned, done, slots)
        self._changed()
        self._bottom.start()

    def finished(self) -> None:
        """Take the table away."""
        self._bottom.remove()

    def _announce(self, job: Job) -> None:
        """Print nothing: the table shows it."""

    def _changed(self) -> None:
        self._bottom.change(self._picture())

    def _picture(self) -> RunsUnderWay:
        lines = [
            Line(job, progress, self._latest.get(job), machine)
            for job, (progress, machine) in self._running.items()
        ]
        return RunsUnderWay(lines, self._headline)
