"""Search of a sweep: the sequence of its points, and its early stopping."""

from __future__ import annotations

import statistics

from rumcli.errors import RunError
from rumcli.jobs.events import JobGroup
from rumcli.jobs.halving import Halving
from rumcli.jobs.queue import JobSource
from rumcli.sweeps import points, results
from rumcli.sweeps.folder import SweepFolder
from rumcli.sweeps.plan import SweepPlan
from rumcli.sweeps.points import PointSource

_MAX_REFUSED = 100  # maximum number of successive invalid points


def point_source(plan: SweepPlan) -> PointSource:
    """Return the source of points for a sweep."""
    if (fixed := plan.points()) is not None:
        return PointSource(fixed)
    from rumcli.sweeps.bayesian import Bayesian  # needs Optuna

    return Bayesian(plan)


class Search(JobSource):
    """Source that draws the points of a sweep in order, and writes `points.jsonl`.

    If the limit is lower than in an earlier command, the points beyond it are not due. Their
    results still count for the search and for early stopping.

    Args:
        plan: Plan of the sweep.
        folder: Directory of the sweep, with the points drawn so far.
        source: Source of new points; None for that of the plan.

    Raises:
        RunError: If a point in the directory is not in the search space.
    """

    def __init__(
        self, plan: SweepPlan, folder: SweepFolder, source: PointSource | None = None
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._source = source or point_source(plan)
        self._points = folder.points()
        self._refused: list[str] = []  # reasons of the latest successive invalid points
        for number, settings in enumerate(self._points, 1):
            if not points.is_one(plan.parameters, settings):
                raise RunError(
                    f"{folder.path}/points.jsonl: line {number} is no point of the sweep"
                )
            self._source.known(number, settings)
        super().__init__([plan.group(*one) for one in enumerate(self._points, 1)])

    @property
    def planned(self) -> int | None:
        """Number of runs that are due; None if only time limits them."""
        return self._plan.most_runs

    @property
    def left(self) -> int:
        """Number of runs that may still be drawn, as far as known."""
        most = self._plan.most_points
        more = 0 if most is None or self.gave_up else max(0, most - len(self._points))
        return more * len(self._plan.spec.seeds)

    @property
    def gave_up(self) -> str | None:
        """Reason for drawing no more points after too many invalid ones in a row, else None."""
        if len(self._refused) < _MAX_REFUSED:
            return None
        return (
            f"the last {_MAX_REFUSED} points that were drawn can't be run; "
            f"point-{len(self._points)}: {self._refused[-1]}"
        )

    def draw(self) -> JobGroup | None:
        """Return the runs of a new point; None if there is none."""
        number, most = len(self._points) + 1, self._plan.most_points
        if (most is not None and number > most) or self.gave_up is not None:
            return None
        if (settings := self._source.next(number)) is None:
            return None
        self._points.append(settings)
        self._folder.write_points(self._points)
        group = self._plan.group(number, settings)
        error = group.jobs[0].error
        self._refused = [*self._refused, error] if error else []
        return group

    def ended(self, group: JobGroup) -> None:
        """Pass the mean score of a point to the source of points."""
        curves = [results.curve(self._folder, job) for job in group.jobs]
        scores = [min(score for _, score in curve) for curve in curves if curve]
        self._source.ended(group.key, statistics.fmean(scores) if scores else None)


def halving(plan: SweepPlan, folder: SweepFolder) -> Halving | None:
    """Return the early stopping of a sweep, with all validations so far; None without one."""
    settings = plan.spec.early_stopping
    if settings is None:
        return None
    found = Halving(settings.first, settings.factor, plan.base.train.steps)
    for number, point in enumerate(folder.points(), 1):
        for job in plan.group(number, point).jobs:
            for step, score in results.curve(folder, job):
                found.allows(job.name, step, score)
    return found
