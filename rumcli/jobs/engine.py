"""Scheduling of a set of runs: which run starts, continues or stops, and the records of its end.

An executor queries the engine and reports events; it makes no decisions itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

from rumcli.errors import ConfigError
from rumcli.jobs.budget import SAVE, TimeLimit
from rumcli.jobs.events import (
    FAILED,
    FINISHED,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    Job,
    JobListener,
    RunProgress,
    RunResult,
)
from rumcli.jobs.folder import JobFolder
from rumcli.jobs.halving import Halving
from rumcli.jobs.queue import JobQueue
from rumcli.training.run_dir import RunDir
from rumcli.training.stop_signals import StopRequest


class Executor(Protocol):
    """Interface of the executors, such as local processes or a Ray cluster."""

    def run(self, engine: Engine) -> None:
        """Execute the runs that the engine starts, until there are no more.

        It calls `next` for a run, `began` when its process starts, and `progressed`, `retried` and
        `ended` with its reports. It calls `stops` several times per second.
        """


@dataclass
class _Running:
    ends: float  # end of its share, in seconds of the monotonic clock
    asked: float | None = None  # time of the stop request


class Engine:
    """Scheduler that takes all runs of a set to their end, or to the time limit.

    Args:
        folder: Directory of the set.
        queue: Runs in their order.
        listener: Receives the events.
        request: Stop request.
        limit: Time limit.
        halving: Early stopping of a search; None for none.

    Attributes:
        is_closed: Whether all runs were requested to stop.
        is_out_of_time: Whether the time limit was the reason.
    """

    def __init__(
        self,
        folder: JobFolder,
        queue: JobQueue,
        listener: JobListener,
        request: StopRequest,
        limit: TimeLimit | None = None,
        halving: Halving | None = None,
    ) -> None:
        self._folder = folder
        self._queue = queue
        self._listener = listener
        self._request = request
        self._limit = limit or TimeLimit()
        self._halving = halving
        self._running: dict[Job, _Running] = {}
        self._again: list[Job] = []  # stopped before their end, while others were waiting
        self._repeated: set[Job] = set()
        self._early: dict[Job, str] = {}  # to be stopped by halving, with the reason
        self._tests: list[float] = []  # seconds from the stop request to the end
        self.is_closed = False
        self.is_out_of_time = False

    def next(self) -> tuple[Job, RunDir] | None:
        """Return a run that can start now, with its directory; None if there is none.

        Raises:
            RunError: If its directory cannot be written.
        """
        while self._request.signal is None and not self.is_closed:
            if (job := self._choose(time.monotonic())) is None:
                return None
            try:
                return job, self._folder.begin(job)
            except ConfigError as error:
                self._listener.began(job)
                self.ended(job, RunResult(FAILED, str(error)))
        return None

    @property
    def may_continue(self) -> bool:
        """Whether another run may start after one has stopped."""
        return bool(self._running) and self._limit.is_shared and not self.is_closed

    def began(self, job: Job) -> None:
        """Handle the start of a run's process."""
        now, ends = time.monotonic(), self._limit.last
        if self._limit.is_shared:
            others = [one.ends for name, one in self._running.items() if name != job]
            again = map(self._folder.share, self._again)
            rest = again if job in self._repeated else self._queue.shares()
            waiting = [self._folder.share(job), *rest]
            ends = self._limit.until(now, others, waiting, self._test_seconds)
        self._running[job] = _Running(ends)
        self._listener.began(job)

    def progressed(self, job: Job, progress: RunProgress, machine: str) -> None:
        """Handle a report of a run."""
        self._listener.progressed(job, progress, machine)
        value = progress.value
        if self._halving is None or value is None or job in self._early:
            return
        score = -value if progress.higher_is_better else value
        if not self._halving.allows(job.name, progress.step, score):
            self._early[job] = f"at step {progress.step}"

    def retried(self, job: Job, message: str) -> None:
        """Handle the death of a run's process, which is restarted."""
        self._listener.retried(job, message)

    def stops(self) -> dict[Job, str]:
        """Return the runs to stop now, with the method for each."""
        now = time.monotonic()
        if self._request.signal is not None:
            return self._close("asked to stop", SAVE, now)
        if self._limit.is_over(now):
            self.is_out_of_time = True
            return self._close("the time is over", self._limit.how, now)
        found = {job: SAVE for job in self._early if job in self._running}
        over = [job for job, one in self._running.items() if now >= one.ends]
        if over and any(True for _ in self._queue.shares()):  # else no other run needs the slot
            found |= dict.fromkeys(over, self._limit.how)
        return self._asked(found, now)

    def ended(self, job: Job, result: RunResult) -> None:
        """Handle the end of a run, or of its current share."""
        one = self._running.pop(job, None)
        if one is not None and one.asked is not None:
            self._tests.append(time.monotonic() - one.asked)
        early = self._early.pop(job, None)
        if result.state == FINISHED:
            assert job.config is not None
            if self._folder.run_folder(job).finished(job.config) is None:
                result = RunResult(FAILED, "its summary.json has no finite test metrics")
        elif result.state == UNFINISHED and early:
            result = replace(result, state=STOPPED_EARLY, message=early, metrics=None)
            self._folder.mark(job, result)
        elif result.state == UNFINISHED and result.metrics is not None:
            result = replace(result, state=STOPPED, seconds=round(result.seconds, 3))
            self._folder.mark(job, result)
            result = replace(result, message=f"at step {result.step}")
        if result.state == FAILED:
            self._folder.mark_failed(job, result.message)
        if result.state in (STOPPED, UNFINISHED) and not self.is_closed:
            self._again.append(job)
        else:
            self._queue.ended(job)
        self._listener.ended(job, result.state, result.message)

    def _choose(self, now: float) -> Job | None:
        """Return a new run, or else the stopped run with the least training; else None."""
        if not self._limit.may_begin(now, again=False):
            return None
        if (job := self._queue.next()) is not None:
            return job
        if not self._again or not self._limit.may_begin(now, again=True):
            return None
        job = min(self._again, key=lambda one: self._folder.share(one).level)
        self._again.remove(job)
        self._repeated.add(job)
        return job

    def _close(self, why: str, how: str, now: float) -> dict[Job, str]:
        self._again.clear()
        if not self.is_closed:
            self.is_closed = True
            self._listener.stopping(why)
        return self._asked(dict.fromkeys(self._running, how), now)

    def _asked(self, found: dict[Job, str], now: float) -> dict[Job, str]:
        for job in found:
            self._running[job].asked = self._running[job].asked or now
        return found

    @property
    def _test_seconds(self) -> float:
        """Mean time for saving and testing a stopped run, in seconds; 0 before the first one."""
        return sum(self._tests) / len(self._tests) if self._tests else 0.0
