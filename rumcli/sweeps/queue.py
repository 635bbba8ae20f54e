"""Which run comes next: first those that were begun before, then the seeds of new points."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol

from rumcli.errors import RunError
from rumcli.sweeps import points, results
from rumcli.sweeps.folder import STOPPED_EARLY, Run, SweepFolder
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.points import Settings

_DONE = (results.FINISHED, STOPPED_EARLY)


class Source(Protocol):
    """Where new points come from."""

    def known(self, number: int, settings: Settings) -> None:
        """Hear of a point that was drawn before the sweep was interrupted."""

    def next(self, number: int) -> Settings | None:
        """Return a new point, of that number; None if there is none."""

    def ended(self, number: int, score: float | None) -> None:
        """Hear the mean figure of a point, of which less is better; None if no seed has one."""


class Fixed:
    """Points that do not depend on what came of others."""

    def __init__(self, points: Iterator[Settings]) -> None:
        self._points = points

    def known(self, number: int, settings: Settings) -> None:
        """Pass over it: it comes again in the same order."""
        next(self._points, None)

    def next(self, number: int) -> Settings | None:
        """Return the next one."""
        return next(self._points, None)

    def ended(self, number: int, score: float | None) -> None:
        """Need nothing of it."""


class Queue:
    """The runs of a sweep in their order; keeps `points.jsonl`.

    Points beyond the limit, which may have been higher when they were drawn, are left as they are;
    what came of them still counts for the search and for early stopping.

    Args:
        plan: What the sweep is.
        folder: Where; what is there already is gone on with.
        source: Where new points come from.

    Attributes:
        earlier: The runs that were done before.

    Raises:
        RunError: If a point that is there is none of this sweep.
    """

    def __init__(self, plan: Plan, folder: SweepFolder, source: Source) -> None:
        self._plan = plan
        self._folder = folder
        self._source = source
        self._points = folder.points()
        self._open: dict[int, set[int]] = {}  # seeds without an end, by point
        self._waiting: deque[Run] = deque()
        self.earlier: list[Run] = []
        for number, settings in enumerate(self._points, 1):
            if not points.is_one(plan.parameters, settings):
                raise RunError(
                    f"{folder.path}/points.jsonl: line {number} is no point of the sweep"
                )
            source.known(number, settings)
            for run in self._runs(number, settings):
                if self._state(run) in _DONE:
                    self.earlier.append(run)
                    self._ended(run)
                elif plan.includes(number):
                    self._waiting.append(run)

    def next(self) -> Run | None:
        """Return the next run; None if there is none left."""
        if not self._waiting:
            self._draw()
        return self._waiting.popleft() if self._waiting else None

    def ended(self, run: Run) -> None:
        """Hear that a run is over, so that the search can learn of it."""
        self._ended(run)

    @property
    def done_before(self) -> int:
        """How many of the runs that there are to be were done before."""
        return sum(self._plan.includes(run.point) for run in self.earlier)

    def _draw(self) -> None:
        number = len(self._points) + 1
        if not self._plan.includes(number):
            return
        settings = self._source.next(number)
        if settings is None:
            return
        self._points.append(settings)
        self._folder.write_points(self._points)
        self._waiting.extend(self._runs(number, settings))

    def _runs(self, number: int, settings: Settings) -> list[Run]:
        seeds = self._plan.description.seeds
        self._open[number] = set(seeds)
        return [Run(number, seed, settings) for seed in seeds]

    def _ended(self, run: Run) -> None:
        seeds = self._open[run.point]
        seeds.discard(run.seed)
        if not seeds:
            runs = [Run(run.point, seed, run.settings) for seed in self._plan.description.seeds]
            found = [results.score(self._folder, one) for one in runs]
            scores = [one for one in found if one is not None]
            mean = sum(scores) / len(scores) if scores else None
            self._source.ended(run.point, mean)

    def _state(self, run: Run) -> str:
        return results.outcome(self._folder, run, None, higher=False).state
