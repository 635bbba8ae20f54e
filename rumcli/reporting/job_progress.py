"""Progress of a set of runs: a live table in a terminal, log lines in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from rumcli.jobs.job_spec import (
    FAILED,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    WAITING,
    Job,
    JobListener,
    RunProgress,
)
from rumcli.reporting import formatting
from rumcli.reporting.formatting import FirstThatFits, LineDisplay, LiveDisplay
from rumcli.training.run_dir import RunDir

_SECONDS_BETWEEN_LINES = 30.0
_MAX_ROWS, _MAX_LISTED = 12, 6  # limits that keep the last line on the screen


@dataclass(frozen=True)
class Title:
    """Name of a set, and the content of its status line.

    Attributes:
        name: Name of the set.
        ranks: Whether the best run is shown.
        seconds: Time budget; None for no limit.
    """

    name: str = "sweep"
    ranks: bool = True
    seconds: float | None = None


def listener(console: Console, quiet: bool, live: bool, title: Title) -> JobListener:
    """Return a listener that shows the progress of a set.

    Args:
        console: Console to write to.
        quiet: Whether to show only warnings.
        live: Whether the console is a terminal that can redraw lines.
        title: Name of the set.
    """
    if quiet:
        return QuietSetProgress(console)
    return (LiveSetProgress if live else PlainSetProgress)(console, title)


class QuietSetProgress(LineDisplay, JobListener):
    """Listener that shows only warnings."""

    def rejected(self, jobs: Sequence[Job], message: str) -> None:
        """Show the reason once for all seeds."""
        others = (
            f" and {formatting.counted(len(jobs) - 1, 'other')} of its point" if jobs[1:] else ""
        )
        self._warn(f"{jobs[0].name}{others} cannot run: {message}")

    def retried(self, job: Job, message: str) -> None:
        """Show that a process died and its run is retried."""
        self._warn(f"{job.name}: {message}; resuming from its last checkpoint")

    def ended(self, job: Job, state: str, message: str) -> None:
        """Show a failure."""
        if state == FAILED:
            self._warn(f"{job.name} failed: {message}")


class PlainSetProgress(QuietSetProgress):
    """Listener that prints a line at the start and end of each run, and a periodic status line."""

    def __init__(self, console: Console, title: Title) -> None:
        super().__init__(console)
        self._title = title
        self._folder = Path()
        self._planned: int | None = None
        self._done: Counter[str] = Counter()
        self._running: dict[Job, tuple[RunProgress | None, str]] = {}
        self._latest: dict[Job, RunProgress] = {}  # of runs with a validation
        self._best: tuple[Job, RunProgress] | None = None
        self._began = self._last_line = time.monotonic()

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Show the size of the set."""
        self._folder, self._planned = Path(folder), planned
        self._done["done before"] = done
        count = (
            "runs until the time is over" if planned is None else formatting.counted(planned, "run")
        )
        before = f", {done} of them done before" if done else ""
        self._say(f"{self._title.name} of {count}{before}; {slots} at a time; directory {folder}")

    def rejected(self, jobs: Sequence[Job], message: str) -> None:
        """Show the reason, and count the rejected runs."""
        self._done[FAILED] += len(jobs)
        super().rejected(jobs, message)
        self._changed()

    def began(self, job: Job) -> None:
        """Show the start of a run."""
        self._running[job] = (None, "")
        self._announce(job)
        self._changed()

    def progressed(self, job: Job, progress: RunProgress, machine: str) -> None:
        """Store the progress for the status line."""
        self._running[job] = (progress, machine)
        if progress.value is not None:
            self._latest[job] = progress
            best = self._best[1].value if self._best else None
            sign = -1 if progress.higher_is_better else 1
            if self._title.ranks and (best is None or sign * progress.value < sign * best):
                self._best = (job, progress)
        self._changed()

    def retried(self, job: Job, message: str) -> None:
        """Show that a process died and its run is retried."""
        self._running.pop(job, None)
        super().retried(job, message)
        self._changed()

    def ended(self, job: Job, state: str, message: str) -> None:
        """Show the end of a run."""
        self._running.pop(job, None)
        self._done[state] += 1
        super().ended(job, state, message)
        if state != FAILED:
            latest = self._latest.get(job)
            value = f", validation {_value(latest)}" if latest else ""
            if state == UNFINISHED:
                # A run stopped before its first step has no checkpoint, unless an earlier session
                # saved one.
                state = "saved" if self._has_saved(job) else WAITING
            self._say(f"{job.name} {state}{f' {message}' if message else ''}{value}")
        self._changed()

    def stopping(self, why: str) -> None:
        """Show that all runs are being saved."""
        self._say(f"{why}; the runs are saved and stop")

    def _announce(self, job: Job) -> None:
        shown = f": {settings(job.settings)}" if job.settings else ""
        self._say(f"{job.name} {self._how(job)}{shown}")

    def _how(self, job: Job) -> str:
        """Return the verb for the start of a run's process."""
        return "resumes" if self._has_saved(job) else "starts"

    def _has_saved(self, job: Job) -> bool:
        return bool(RunDir(self._folder / job.name).checkpoints.numbered())

    def _changed(self) -> None:
        """Print the status line periodically."""
        if self._running and time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._say(self._headline)

    @property
    def _headline(self) -> str:
        left = (UNFINISHED, STOPPED)
        ended = sum(count for state, count in self._done.items() if state not in left)
        parts = [f"{formatting.counted_of(ended, self._planned, 'run')} done"]
        parts += [f"{len(self._running)} running"]
        parts += [
            f"{self._done[state]} {state}" for state in (STOPPED_EARLY, FAILED) if self._done[state]
        ]
        best = f"; best {_value(self._best[1])}, {self._best[0].name}" if self._best else ""
        spent = formatting.duration(time.monotonic() - self._began)
        if self._title.seconds is not None:
            spent += f" of {formatting.duration(self._title.seconds)}"
        return f"{', '.join(parts)}, {spent}{best}"


class LiveSetProgress(PlainSetProgress):
    """Listener that shows a table of the running runs at the bottom, with event lines above it."""

    def __init__(self, console: Console, title: Title) -> None:
        super().__init__(console, title)
        # `cluster` redirects the output of Ray.
        self._bottom = LiveDisplay(console, redirect_stdout=False)

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Show the table."""
        super().started(folder, planned, done, slots)
        self._changed()
        self._bottom.start()

    def finished(self) -> None:
        """Remove the table."""
        self._bottom.remove()

    def _announce(self, job: Job) -> None:
        """Print nothing: the table shows the event."""

    def _changed(self) -> None:
        self._bottom.change(self._renderable())

    def _renderable(self) -> Group:
        """Return the table and the status line; settings are dropped before text is truncated."""
        has_settings = any(job.settings for job in self._running)
        forms = [
            form(is_shown)
            for is_shown in ([True, False] if has_settings else [False])
            for form in (self._table, self._list)
        ]
        return Group(FirstThatFits(*forms), Text(self._headline))

    def _cells(self, job: Job, with_settings: bool) -> dict[str, str]:
        progress, machine = self._running[job]
        latest = self._latest.get(job)
        is_shown = len({name for _, name in self._running.values() if name}) > 1
        return {
            "run": job.name,
            **({"settings": settings(job.settings)} if with_settings else {}),
            "step": f"{progress.step}/{progress.steps}" if progress else self._how(job),
            "now": _value(latest) if latest else "",
            **({"machine": machine} if is_shown else {}),
        }

    def _table(self, with_settings: bool) -> Group:
        rows = [self._cells(job, with_settings) for job in self._running]
        table = Table(*(rows[0] if rows else ["run", "step", "now"]))
        for row in rows[:_MAX_ROWS]:
            table.add_row(*(Text(cell or formatting.NOTHING) for cell in row.values()))
        return Group(table, *_more(rows, _MAX_ROWS))

    def _list(self, with_settings: bool) -> Group:
        rows = [self._cells(job, with_settings) for job in self._running]
        lines = []
        for row in rows[:_MAX_LISTED]:
            first = Text(row.pop("run"), style="bold")
            if with_settings:
                first.append(f"  {row.pop('settings')}", style="not bold")
            lines += [first, Text(f"  {', '.join(filter(None, row.values()))}")]
        return Group(*lines, *_more(rows, _MAX_LISTED))


def settings(values: Mapping[str, Any]) -> str:
    """Format the settings of a run as one line."""
    return ", ".join(f"{key}={formatting.setting(value)}" for key, value in values.items())


def _value(progress: RunProgress) -> str:
    """Format the latest validation of a run; empty if there is none."""
    assert progress.value is not None
    name = formatting.metric_name(progress.metric)
    return f"{name} {formatting.value(progress.metric, progress.value)}"


def _more(rows: Sequence[Any], shown: int) -> list[Text]:
    return [Text(f"and {len(rows) - shown} more")] if len(rows) > shown else []
