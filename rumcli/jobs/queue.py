"""The runs of a set in their order: those of an earlier command first, then new ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rumcli.jobs import results
from rumcli.jobs.budget import Share
from rumcli.jobs.events import DONE, Job, JobGroup, JobListener
from rumcli.jobs.folder import JobFolder


class JobSource:
    """The groups of a set, all of which are given at the start.

    Args:
        groups: The groups.

    Attributes:
        left: Number of runs that may still be drawn, as far as it is known.
        gave_up: Why no more groups are drawn, although some may be left; None otherwise.
    """

    left = 0
    gave_up: str | None = None

    def __init__(self, groups: Sequence[JobGroup]) -> None:
        self.groups = groups

    @property
    def planned(self) -> int | None:
        """Number of runs that are due; None if only time limits them."""
        return sum(job.is_due for group in self.groups for job in group.jobs)

    def draw(self) -> JobGroup | None:
        """Return a new group; None if there is none."""
        return None

    def ended(self, group: JobGroup) -> None:
        """Handle the end of all runs of a group."""


class JobQueue:
    """The runs of a set that are left.

    A group with an invalid configuration is refused, and the set continues.

    Args:
        folder: Directory of the set.
        source: The groups.
        listener: Receives the groups that are refused.
        is_shared: Whether the runs share a time, so that those that had least of it start first.

    Attributes:
        planned: Number of runs that are due; None if only time limits them.
        done_before: Number of these that were done before.
    """

    def __init__(
        self, folder: JobFolder, source: JobSource, listener: JobListener, is_shared: bool = False
    ) -> None:
        self._folder = folder
        self._source = source
        self._listener = listener
        self._waiting: deque[Job] = deque()
        self._refused: list[JobGroup] = []  # not reported yet
        self._open: dict[Job, tuple[JobGroup, set[Job]]] = {}  # the runs of the group without end
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
        """Yield the shares of the runs that are left, as far as their number is known."""
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
