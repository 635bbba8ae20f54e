"""Order of the runs of a set: those of an earlier command first, then new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rumcli.jobs import results
from rumcli.jobs.budget import Share
from rumcli.jobs.events import DONE, Job, JobGroup, JobListener
from rumcli.jobs.folder import JobFolder


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
        """Why no more groups are drawn, although some may be left; None otherwise."""
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
        self._refused: list[JobGroup] = []  # not reported yet
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
        for group in self._refused:
            self._listener.refused(group.jobs, group.jobs[0].error)
        self._refused.clear()
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
            if results.read_run(self._folder, job).state in DONE:
                self.done_before += job.is_due
                self.ended(job)
            elif job.is_due:
                waiting.append(job)
        if waiting and waiting[0].error:
            self._refused.append(group)
            for job in waiting:
                self.ended(job)
        else:
            self._waiting.extend(waiting)
