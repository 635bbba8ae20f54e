"""Which run comes next: first those that were begun before, then the seeds of new points."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from rumcli.config import RunConfig
from rumcli.errors import RunError
from rumcli.jobs.budget import Share
from rumcli.jobs.events import FINISHED, STOPPED_EARLY, JobListener
from rumcli.sweeps import points, results
from rumcli.sweeps.folder import Run, SweepFolder
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.points import Settings

_DONE = (FINISHED, STOPPED_EARLY)
_MOST_REFUSED = 100  # points in a row that can't be run, after which no more are drawn


class Source:
    """Where new points come from; this one yields given points.

    Args:
        points: The points, in an order that depends only on the plan.
    """

    def __init__(self, points: Iterator[Settings]) -> None:
        self._points = points

    def known(self, number: int, settings: Settings) -> None:
        """Take note of a point that was drawn before the sweep was interrupted."""
        next(self._points, None)  # it comes again in the same order

    def next(self, number: int) -> Settings | None:
        """Return a new point, of that number; None if there is none."""
        return next(self._points, None)

    def ended(self, number: int, score: float | None) -> None:
        """Take note of a point's mean score, of which less is better; None if no seed has one."""


class Queue:
    """The runs of a sweep in their order; keeps `points.jsonl`.

    Points beyond the limit, which may have been higher when they were drawn, are left as they are;
    what came of them still counts for the search and for early stopping. A point that turns out
    wrong when it is drawn has no figure, and the search goes on.

    Args:
        plan: What the sweep is.
        folder: Where; what is there already is gone on with.
        source: Where new points come from.
        listener: Receives the points that can't be run.

    Attributes:
        earlier: The runs that were done before.

    Raises:
        RunError: If a point that is there is none of this sweep.
    """

    def __init__(
        self, plan: Plan, folder: SweepFolder, source: Source, listener: JobListener
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._source = source
        self._listener = listener
        self._points = folder.points()
        self._open: dict[int, set[int]] = {}  # seeds without an end, by point
        self._waiting: deque[Run] = deque()
        self._refused_in_a_row = 0
        self._refused: list[tuple[list[Run], str]] = []  # not reported yet
        self.earlier: list[Run] = []
        for number, settings in enumerate(self._points, 1):
            if not points.is_one(plan.parameters, settings):
                raise RunError(
                    f"{folder.path}/points.jsonl: line {number} is no point of the sweep"
                )
            source.known(number, settings)
            due = []
            for run in self._runs(number, settings):
                if self._state(run) in _DONE:
                    self.earlier.append(run)
                    self._ended(run)
                elif plan.includes(number):
                    due.append(run)
            self._add(due)

    def next(self) -> Run | None:
        """Return the next run; None if there is none left."""
        while not self._waiting and self._draw():
            pass
        while self._refused:
            self._listener.refused(*self._refused.pop(0))
        return self._waiting.popleft() if self._waiting else None

    def ended(self, run: Run) -> None:
        """Hear that a run is over, so that the search can learn of it."""
        self._ended(run)

    def config(self, run: Run) -> RunConfig:
        """Return the configuration of a run."""
        return self._plan.run(dict(run.settings), run.seed)

    def shares(self) -> Iterator[Share]:
        """Yield the shares of the runs that are left, as far as their number is known."""
        most = self._plan.most_points
        more = 0 if most is None or self.gave_up else max(0, most - len(self._points))
        new = more * len(self._plan.description.seeds)
        yield from map(self._folder.share, self._waiting)
        yield from [Share()] * new

    @property
    def planned(self) -> int | None:
        """Number of runs; None if only time limits them."""
        return self._plan.most_runs

    @property
    def done_before(self) -> int:
        """How many of the runs that there are to be were done before."""
        return sum(self._plan.includes(run.point) for run in self.earlier)

    @property
    def gave_up(self) -> str | None:
        """Why no more points are drawn, if it is that none of the last ones can be run."""
        if self._refused_in_a_row < _MOST_REFUSED:
            return None
        fault = self._plan.fault(self._points[-1])
        return (
            f"the last {_MOST_REFUSED} points that were drawn can't be run; "
            f"point-{len(self._points)}: {fault}"
        )

    def _draw(self) -> bool:
        """Draw a point; tell whether there was one."""
        number = len(self._points) + 1
        if not self._plan.includes(number) or self.gave_up is not None:
            return False
        settings = self._source.next(number)
        if settings is None:
            return False
        self._points.append(settings)
        self._folder.write_points(self._points)
        is_right = self._add(self._runs(number, settings))
        self._refused_in_a_row = 0 if is_right else self._refused_in_a_row + 1
        return True

    def _add(self, runs: list[Run]) -> bool:
        """Let the runs of a point wait, unless it can't be run; tell whether it can."""
        fault = self._plan.fault(dict(runs[0].settings)) if runs else None
        if fault is None:
            self._waiting.extend(runs)
            return True
        self._refused.append((runs, fault))
        for run in runs:
            self._ended(run)
        return False

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
        return self._folder.outcome(run, self._folder.run_folder(run).summary()).state
