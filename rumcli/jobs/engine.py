"""Scheduler of a set: decides which of its runs starts, continues or stops.

`Engine` is the scheduler. A `JobQueue` orders the runs by their budget. `Halving` stops runs early:
asynchronous successive halving.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rumcli.errors import ConfigError
from rumcli.jobs import job_folder
from rumcli.jobs.job_folder import JobFolder
from rumcli.jobs.job_spec import (
    DONE,
    FAILED,
    FINISHED,
    SAVE,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    Job,
    JobGroup,
    JobListener,
    RunProgress,
    RunResult,
    Share,
    TimeLimit,
)
from rumcli.signals import StopRequest
from rumcli.training.run_dir import RunDir


class Halving:
    """Early stopping that compares runs after `grace_period * reduction_factor**k` steps.

    Args:
        grace_period: Number of steps before a run can be stopped.
        reduction_factor: At each of these steps, one in `reduction_factor` runs continues.
        steps: Number of steps of a run; no run is stopped at the last one.
    """

    def __init__(self, grace_period: int, reduction_factor: float, steps: int) -> None:
        # Rungs, the highest first: the step, and the best score of each run that reached it.
        self._rungs: list[tuple[float, dict[str, float]]] = []
        step = float(grace_period)
        while step < steps:
            self._rungs.insert(0, (step, {}))
            step *= reduction_factor
        self._reduction_factor = reduction_factor
        self._best: dict[str, float] = {}

    def allows(self, name: str, step: int, score: float) -> bool:
        """Record a validation and return whether the run continues.

        Runs are compared by their best score, as in the results, because a single score is noisy.

        Args:
            name: Name of the run.
            step: Number of training steps done.
            score: Score of the monitored metric; lower is better.
        """
        self._best[name] = best = min(score, self._best.get(name, math.inf))
        for rung, scores in self._rungs:
            if step < rung:
                continue
            if name in scores:  # decided before
                return True
            others = sorted(scores.values())
            scores[name] = best
            return not others or best <= _quantile(others, 1 / self._reduction_factor)
        return True


def _quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of sorted numbers, interpolated linearly as in `numpy.quantile`."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


class JobSource:
    """Source of the groups of a set; the base class yields groups given at the start.

    Args:
        groups: Groups of the set.
    """

    def __init__(self, groups: Sequence[JobGroup]) -> None:
        self.groups = groups

    @property
    def planned(self) -> int | None:
        """Number of runs that are due; None if only time limits them."""
        return sum(job.is_due for group in self.groups for job in group.jobs)

    @property
    def left(self) -> int:
        """Number of runs that may still be drawn, as far as it is known."""
        return 0

    @property
    def gave_up(self) -> str | None:
        """Reason for drawing no more groups although some may be left; else None."""
        return None

    def draw(self) -> JobGroup | None:
        """Return a new group; None if there is none."""
        return None

    def ended(self, group: JobGroup) -> None:
        """Handle the end of all runs of a group."""


class JobQueue:
    """Queue of the remaining runs of a set.

    A group with an invalid configuration is rejected, and the set continues.

    Args:
        folder: Directory of the set.
        source: Source of the groups.
        listener: Receives the rejected groups.
        is_shared: Whether the runs share a budget, so that those with the least training start
            first.

    Attributes:
        planned: Number of runs that are due; None if only time limits them.
        done_before: Number of due runs that were done before.
    """

    def __init__(
        self, folder: JobFolder, source: JobSource, listener: JobListener, is_shared: bool = False
    ) -> None:
        self._folder = folder
        self._source = source
        self._listener = listener
        self._waiting: deque[Job] = deque()
        self._rejected: list[JobGroup] = []  # not reported yet
        self._open: dict[Job, tuple[JobGroup, set[Job]]] = {}  # unfinished runs of each group
        self.planned = source.planned
        self.done_before = 0
        for group in source.groups:
            self._add(group)
        if is_shared:
            self._waiting = deque(sorted(self._waiting, key=lambda job: folder.share(job).level))

    def next(self) -> Job | None:
        """Return the next run; None if there is none left."""
        while not self._waiting and (group := self._source.draw()) is not None:
            self._add(group)
        for group in self._rejected:
            self._listener.rejected(group.jobs, group.jobs[0].error)
        self._rejected.clear()
        return self._waiting.popleft() if self._waiting else None

    def ended(self, job: Job) -> None:
        """Handle the end of a run."""
        group, left = self._open.pop(job)
        left.discard(job)
        if not left:
            self._source.ended(group)

    def shares(self) -> Iterator[Share]:
        """Yield the shares of the remaining runs, as far as their number is known."""
        yield from map(self._folder.share, self._waiting)
        yield from [Share()] * self._source.left

    def _add(self, group: JobGroup) -> None:
        left = set(group.jobs)
        self._open |= dict.fromkeys(group.jobs, (group, left))
        waiting = []
        for job in group.jobs:
            if job_folder.read_run(self._folder, job).state in DONE:
                self.done_before += job.is_due
                self.ended(job)
            elif job.is_due:
                waiting.append(job)
        if waiting and waiting[0].error:
            self._rejected.append(group)
            for job in waiting:
                self.ended(job)
        else:
            self._waiting.extend(waiting)


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
    stop_requested: float | None = None  # time of the stop request


class Engine:
    """Scheduler of a set, which takes its runs to their end or to the time limit.

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
        self._stopped: list[Job] = []  # runs whose share was over, to be continued
        self._continued: set[Job] = set()
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
            others = [running.ends for name, running in self._running.items() if name != job]
            stopped = map(self._folder.share, self._stopped)
            others_waiting = stopped if job in self._continued else self._queue.shares()
            waiting = [self._folder.share(job), *others_waiting]
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
            return self._close("stop requested", SAVE, now)
        if self._limit.is_over(now):
            self.is_out_of_time = True
            return self._close("the time is over", self._limit.how, now)
        stopping = {job: SAVE for job in self._early if job in self._running}
        expired = [job for job, running in self._running.items() if now >= running.ends]
        if expired and any(True for _ in self._queue.shares()):  # else no other run needs the slot
            stopping |= dict.fromkeys(expired, self._limit.how)
        return self._request_stop(stopping, now)

    def ended(self, job: Job, result: RunResult) -> None:
        """Handle the end of a run, or of its current share."""
        running = self._running.pop(job, None)
        if running is not None and running.stop_requested is not None:
            self._tests.append(time.monotonic() - running.stop_requested)
        early = self._early.pop(job, None)
        if result.state == FINISHED:
            assert job.config is not None
            if self._folder.run_dir(job).finished(job.config) is None:
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
            self._stopped.append(job)
        else:
            self._queue.ended(job)
        self._listener.ended(job, result.state, result.message)

    def _choose(self, now: float) -> Job | None:
        """Return a new run, or else the stopped run with the least training; else None."""
        if not self._limit.may_begin(now, again=False):
            return None
        if (job := self._queue.next()) is not None:
            return job
        if not self._stopped or not self._limit.may_begin(now, again=True):
            return None
        job = min(self._stopped, key=lambda one: self._folder.share(one).level)
        self._stopped.remove(job)
        self._continued.add(job)
        return job

    def _close(self, reason: str, method: str, now: float) -> dict[Job, str]:
        self._stopped.clear()
        if not self.is_closed:
            self.is_closed = True
            self._listener.stopping(reason)
        return self._request_stop(dict.fromkeys(self._running, method), now)

    def _request_stop(self, stopping: dict[Job, str], now: float) -> dict[Job, str]:
        for job in stopping:
            self._running[job].stop_requested = self._running[job].stop_requested or now
        return stopping

    @property
    def _test_seconds(self) -> float:
        """Mean time for saving and testing a stopped run, in seconds; 0 before the first one."""
        return sum(self._tests) / len(self._tests) if self._tests else 0.0
