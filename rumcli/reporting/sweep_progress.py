"""Many runs under way on the screen, as of a sweep: live in a terminal, lines in a pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rumcli.reporting import wording
from rumcli.reporting.runs_under_way import Line, RunsUnderWay, figure
from rumcli.reporting.screen import Lines, Picture
from rumcli.reporting.sweep import settings
from rumcli.reproduction.folder import STOPPED
from rumcli.sweeps import results
from rumcli.sweeps.folder import FAILED, STOPPED_EARLY
from rumcli.sweeps.listener import Run, Standing, SweepListener
from rumcli.training.run_folder import RunFolder

_TO_GO_ON = (results.UNFINISHED, STOPPED)
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


def listener(console: Console, quiet: bool, live: bool, kind: Kind = _SWEEP) -> SweepListener:
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


class QuietSweep(Lines, SweepListener):
    """Only what went wrong."""

    def refused(self, runs: Sequence[Run], message: str) -> None:
        """Say it once for all seeds."""
        others = f" and {wording.counted(len(runs) - 1, 'other')} of its point" if runs[1:] else ""
        self._warn(f"{runs[0].name}{others} can't be run: {message}")

    def retried(self, run: Run, message: str) -> None:
        """Say what died."""
        self._warn(f"{run.name}: {message}; going on from its last checkpoint")

    def ended(self, run: Run, state: str, message: str) -> None:
        """Say what failed."""
        if state == FAILED:
            self._warn(f"{run.name} failed: {message}")


class PlainSweep(QuietSweep):
    """A line when a run begins and ends, and from time to time one about all."""

    def __init__(self, console: Console, kind: Kind = _SWEEP) -> None:
        super().__init__(console)
        self._kind = kind
        self._folder = Path()
        self._planned: int | None = None
        self._done: Counter[str] = Counter()
        self._running: dict[Run, tuple[Standing | None, str]] = {}
        self._latest: dict[Run, Standing] = {}  # with a value
        self._best: tuple[Run, Standing] | None = None
        self._began = self._last_line = time.monotonic()

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Say what will be done."""
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

    def refused(self, runs: Sequence[Run], message: str) -> None:
        """Say it once for all seeds, and count them."""
        self._done[FAILED] += len(runs)
        super().refused(runs, message)

    def began(self, run: Run) -> None:
        """Say which run begins."""
        self._running[run] = (None, "")
        self._say(f"{run.name} begins" + (f": {settings(run.settings)}" if run.settings else ""))

    def progressed(self, run: Run, standing: Standing, machine: str) -> None:
        """Keep it, and say it from time to time."""
        self._note(run, standing, machine)
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._say(self._headline)

    def retried(self, run: Run, message: str) -> None:
        """Say what died."""
        self._running.pop(run, None)
        super().retried(run, message)

    def ended(self, run: Run, state: str, message: str) -> None:
        """Say how a run ended."""
        self._running.pop(run, None)
        self._done[state] += 1
        super().ended(run, state, message)
        if state == FAILED:
            return
        latest = self._latest.get(run)
        value = f", validation {figure(latest)}" if latest else ""
        how = state
        if state == results.UNFINISHED:
            # One that is stopped before it trains has saved nothing, unless in an earlier part.
            has_saved = bool(RunFolder(self._folder / run.name).checkpoints.numbered())
            how = "saved" if has_saved else results.WAITING
        self._say(f"{run.name} {how}{f' {message}' if message else ''}{value}")

    def stopping(self, why: str) -> None:
        """Say that all is being saved."""
        self._say(f"{why}; the runs save and stop")

    def _note(self, run: Run, standing: Standing, machine: str) -> None:
        self._running[run] = (standing, machine)
        if standing.value is None:
            return
        self._latest[run] = standing
        best = self._best[1].value if self._best else None
        sign = -1 if standing.higher_is_better else 1
        if self._kind.ranks and (best is None or sign * standing.value < sign * best):
            self._best = (run, standing)

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
    """A table of the runs under way at the bottom, what has happened above."""

    def __init__(self, console: Console, kind: Kind = _SWEEP) -> None:
        super().__init__(console, kind)
        # What Ray prints is not to stand above the table: `tune` sees to it.
        self._bottom = Picture(console, redirect_stdout=False)

    def started(self, folder: str, planned: int | None, done: int, slots: int) -> None:
        """Show the table."""
        super().started(folder, planned, done, slots)
        self._draw()
        self._bottom.start()

    def refused(self, runs: Sequence[Run], message: str) -> None:
        """Say it once for all seeds, and count them."""
        super().refused(runs, message)
        self._draw()

    def began(self, run: Run) -> None:
        """Show it in the table."""
        self._running[run] = (None, "")
        self._draw()

    def progressed(self, run: Run, standing: Standing, machine: str) -> None:
        """Show it in the table."""
        self._note(run, standing, machine)
        self._draw()

    def retried(self, run: Run, message: str) -> None:
        """Say what died."""
        super().retried(run, message)
        self._draw()

    def ended(self, run: Run, state: str, message: str) -> None:
        """Say how a run ended."""
        super().ended(run, state, message)
        self._draw()

    def finished(self) -> None:
        """Take the table away."""
        self._bottom.remove()

    def _draw(self) -> None:
        self._bottom.change(self._picture())

    def _picture(self) -> RunsUnderWay:
        lines = [
            Line(run, standing, self._latest.get(run), machine)
            for run, (standing, machine) in self._running.items()
        ]
        return RunsUnderWay(lines, self._headline)
