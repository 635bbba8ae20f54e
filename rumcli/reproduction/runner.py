"""Runs what is left of a table, so many at a time as there is room for, within a budget of time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Protocol

from rumcli.errors import RumError
from rumcli.reproduction import child
from rumcli.reproduction.budget import Budget, Share
from rumcli.reproduction.child import Child, Ended
from rumcli.reproduction.folder import FAILED, STOPPED, Mark, TableFolder
from rumcli.reproduction.plan import Run
from rumcli.sweeps.listener import Standing, SweepListener
from rumcli.sweeps.results import FINISHED, UNFINISHED
from rumcli.training.run_folder import RunFolder
from rumcli.training.stopping import StopRequest

_LOOK = 0.25  # seconds between two looks at clock and signals


class Process(Protocol):
    """What a run under way must have; `Child` is one."""

    connection: object

    def stop(self, how: str) -> None:
        """Ask for an end."""

    def news(self) -> list[Standing | Ended]:
        """Return what it has told since."""

    def join(self) -> None:
        """Wait until it is gone."""

    def kill(self) -> None:
        """End it at once; what was saved stays."""


@dataclass
class _Running:
    process: Process
    share_ends: float  # in seconds of the monotonic clock
    asked: float | None = None  # when it was asked to stop


class Runner:
    """Brings all runs to their end, or to that of the budget.

    Args:
        folder: Where they are.
        runs: In their order; those that are finished are left out.
        launch: Starts the process of a run.
        slots: How many run at the same time.
        budget: None: no limit.
        listener: Hears of the progress.
        request: Asks for a stop.
    """

    def __init__(
        self,
        folder: TableFolder,
        runs: Sequence[Run],
        launch: Callable[[RunFolder], Process],
        slots: int,
        budget: Budget | None,
        listener: SweepListener,
        request: StopRequest,
    ) -> None:
        self._folder = folder
        self._launch = launch
        self._slots = slots
        self._budget = budget
        self._listener = listener
        self._request = request
        self._waiting = deque(runs)
        self._again: deque[Run] = deque()  # that had their share
        self._running: dict[Run, _Running] = {}
        self._tests: list[float] = []  # seconds from being asked to stop to the end
        self._is_stopping = False

    def run(self) -> None:
        """Run them."""
        try:
            while True:
                self._fill()
                if not self._running:
                    return
                self._wait()
                self._hear()
                self._stop_what_is_over()
        except KeyboardInterrupt:  # the second Ctrl-C, which is to end all at once
            for one in self._running.values():
                one.process.kill()
            raise
        except Exception:
            for one in self._running.values():
                one.process.stop(child.SAVE)
            for one in self._running.values():
                one.process.join()
            raise

    def _fill(self) -> None:
        while len(self._running) < self._slots and self._request.signal is None:
            now, again = time.monotonic(), not self._waiting
            queue = self._waiting or _by_level(self._folder, self._again)
            if not queue or (self._budget and not self._budget.may_begin(now, again)):
                return
            waiting = [self._folder.share(run) for run in queue]
            run = queue[0]
            (self._again if again else self._waiting).remove(run)
            self._begin(run, now, waiting)

    def _begin(self, run: Run, now: float, waiting: Sequence[Share]) -> None:
        ends = float("inf")
        if self._budget is not None:
            others = [one.share_ends for one in self._running.values()]
            ends = self._budget.until(now, others, waiting, self._test_seconds)
        self._listener.began(run)
        try:
            place = self._folder.begin(run)
        except RumError as error:
            self._fail(run, str(error))
            self._listener.ended(run, FAILED, str(error))
            return
        self._running[run] = _Running(self._launch(place), ends)

    def _wait(self) -> None:
        wait([one.process.connection for one in self._running.values()], _LOOK)

    def _hear(self) -> None:
        for run, one in list(self._running.items()):
            for news in one.process.news():
                if isinstance(news, Ended):
                    del self._running[run]
                    one.process.join()
                    if one.asked is not None:
                        self._tests.append(time.monotonic() - one.asked)
                    self._end(run, news)
                else:
                    self._listener.progressed(run, news, "")

    def _stop_what_is_over(self) -> None:
        now = time.monotonic()
        if self._request.signal is not None:
            self._stop_all("asked to stop", child.SAVE)
        elif self._budget is not None and self._budget.is_over(now):
            self._stop_all("the time is over", child.SAVE_AND_TEST)
        elif self._waiting:  # else nobody needs the place
            for one in self._running.values():
                if now >= one.share_ends:
                    one.asked = one.asked or now
                    one.process.stop(child.SAVE_AND_TEST)

    def _stop_all(self, why: str, how: str) -> None:
        self._waiting.clear()
        self._again.clear()
        if not self._is_stopping:
            self._listener.stopping(why)
        self._is_stopping = True
        for one in self._running.values():
            one.process.stop(how)

    def _end(self, run: Run, ended: Ended) -> None:
        state, message = ended.end.state, ended.end.message
        if state == FINISHED and self._folder.run_folder(run).finished(run.config) is None:
            state, message = FAILED, "its summary.json has no finite figure of the test"
        if state == FAILED:
            self._fail(run, message)
        elif state == UNFINISHED and ended.figures is not None:
            state, message = STOPPED, f"at step {ended.step}"
            mark = Mark(STOPPED, "", ended.step, ended.figures, round(ended.seconds, 3))
            self._note(run, mark)
        if state in (STOPPED, UNFINISHED) and not self._is_stopping:
            self._again.append(run)
        self._listener.ended(run, state, message)

    @property
    def _test_seconds(self) -> float:
        """How long a run that is stopped takes to save and to be tested, as far as is known."""
        return sum(self._tests) / len(self._tests) if self._tests else 0.0

    def _note(self, run: Run, mark: Mark) -> None:
        with self._folder.run_folder(run).writing():
            self._folder.mark(run, mark)

    def _fail(self, run: Run, message: str) -> None:
        with self._folder.run_folder(run).writing():
            self._folder.mark_failed(run, message)


def left(folder: TableFolder, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that are not finished; first those that had least of what they are due."""
    found = [run for run in runs if folder.run_folder(run).finished(run.config) is None]
    return _by_level(folder, found)


def _by_level(folder: TableFolder, runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: folder.share(run).level)


def launching(
    start: Callable[..., None], cores: int, debug: bool
) -> Callable[[RunFolder], Process]:
    """Return what starts the process of a run in a folder.

    Args:
        start: Brings up what a run needs.
        cores: Of each run.
        debug: Whether to show what the processes print.
    """
    return lambda folder: Child(folder, start, cores, debug)
