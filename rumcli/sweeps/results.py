"""What came of a sweep, from its run folders alone: means and deviations over seeds, best first.

The figure of a run is its best validation: a choice between points by the test split would make
the test worthless. The test is beside it.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rumcli.jobs.events import FAILED, FINISHED, STATES, STOPPED_EARLY, WAITING
from rumcli.jobs.folder import Outcome as JobOutcome
from rumcli.jobs.folder import finite, spread
from rumcli.sweeps.folder import Run, SweepFolder
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.points import Settings, is_one
from rumcli.training.run_folder import RunFolder


@dataclass(frozen=True)
class Outcome(JobOutcome):
    """The outcome of one run of a sweep.

    Attributes:
        value: The best validation of the monitored metric; None if there is none.
        test: The test of the same metric; None if there is none.
    """

    value: float | None = None
    test: float | None = None


@dataclass(frozen=True)
class Point:
    """A point with the outcomes of its seeds.

    Attributes:
        number: From 1, in the order in which they were drawn.
        settings: Values by key path.
        outcomes: One for each seed.
        is_due: Whether it is within the limit of runs, which may once have been higher.
    """

    number: int
    settings: Settings
    outcomes: Sequence[Outcome]
    is_due: bool = True

    @property
    def is_whole(self) -> bool:
        """Whether every seed has a figure and none failed."""
        return all(one.value is not None and one.state != FAILED for one in self.outcomes)

    @property
    def values(self) -> list[float]:
        """The figures that there are."""
        return [one.value for one in self.outcomes if one.value is not None]

    @property
    def tests(self) -> list[float]:
        """The tests that there are."""
        return [one.test for one in self.outcomes if one.test is not None]


@dataclass(frozen=True)
class Results:
    """A sweep with all its points, the best first; those with a seed without a figure last.

    Attributes:
        folder: Of the sweep.
        search: How the points are chosen.
        task: The task of all runs.
        metric: What they are compared by; None if no run has begun.
        higher_is_better: Its direction.
        parameters: The key paths that are varied.
        points: The points.
        planned: Number of runs that there are to be; None if only time limits them.
    """

    folder: SweepFolder
    search: str
    task: str
    metric: str | None
    higher_is_better: bool
    parameters: list[str]
    points: list[Point]
    planned: int | None

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcomes of all runs."""
        return [one for point in self.points for one in point.outcomes]

    def count(self, state: str) -> int:
        """Return the number of runs in a state."""
        return sum(one.state == state for one in self.outcomes)

    @property
    def due(self) -> list[Outcome]:
        """The outcomes of the runs within the limit, in the order of their points."""
        points = sorted(self.points, key=lambda point: point.number)
        return [one for point in points if point.is_due for one in point.outcomes]

    @property
    def done(self) -> int:
        """The number of runs within the limit that are finished or were stopped early."""
        return sum(one.state in (FINISHED, STOPPED_EARLY) for one in self.due)

    @property
    def failures(self) -> list[Outcome]:
        """The failed runs within the limit."""
        return [one for one in self.due if one.state == FAILED]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be run."""
        return self.done == self.planned

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON has them."""
        return {
            "folder": str(self.folder.path),
            "task": self.task,
            "search": self.search,
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "parameters": self.parameters,
            "runs_planned": self.planned,
            "runs": {state.replace(" ", "_"): self.count(state) for state in STATES},
            "points": [self._point(point) for point in self.points],
        }

    def _point(self, point: Point) -> dict[str, Any]:
        return {
            "point": point.number,
            "settings": point.settings,
            "validation": spread(point.values),
            "test": spread(point.tests),
            "runs": [
                {**one.to_json(), "validation": one.value, "test": one.test}
                for one in point.outcomes
            ],
        }


def read(folder: SweepFolder, plan: Plan | None = None) -> Results:
    """Read what came of a sweep so far.

    Raises:
        ConfigError: If its description can't be read.
        RunError: If a record can't be read.
    """
    plan = plan or folder.plan()
    seeds = plan.description.seeds
    runs = [
        [Run(number, seed, settings) for seed in seeds]
        for number, settings in enumerate(folder.points(), 1)
    ]
    metric, higher = _metric([folder.run_folder(run) for point in runs for run in point])
    points = [
        Point(
            point[0].point,
            dict(point[0].settings),
            _refused(plan, [outcome(folder, run, metric, higher) for run in point]),
            plan.includes(point[0].point),
        )
        for point in runs
    ]
    points.sort(key=lambda point: _rank(point, higher))
    return Results(
        folder,
        plan.description.search,
        plan.base.task.name,
        metric,
        higher,
        list(plan.parameters),
        points,
        plan.most_runs,
    )


def _refused(plan: Plan, outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes of a point; of one that can't be run, those not begun have failed."""
    settings = dict(outcomes[0].run.settings)
    if all(one.state != WAITING for one in outcomes) or not is_one(plan.parameters, settings):
        return outcomes
    fault = plan.fault(settings)
    if fault is None:
        return outcomes
    return [
        replace(one, state=FAILED, message=fault) if one.state == WAITING else one
        for one in outcomes
    ]


def outcome(folder: SweepFolder, run: Run, metric: str | None, higher: bool) -> Outcome:
    """Read the outcome of one run.

    Args:
        folder: Directory of the sweep.
        run: The run.
        metric: Name of the monitored metric; None if that is not known.
        higher: Whether a higher value is better.
    """
    found = folder.outcome(run, folder.run_folder(run).summary())
    values = [v for r in found.records if (v := finite(r.get(f"val_{metric}"))) is not None]
    value = (max(values) if higher else min(values)) if values else None
    test = finite(found.figures.get(metric)) if found.figures and metric else None
    return Outcome(**vars(found), value=value, test=test)


def curve(folder: SweepFolder, run: Run) -> list[tuple[int, float]]:
    """Return step and figure of each evaluation of a run; less is better."""
    place = folder.run_folder(run)
    metric, higher = _metric([place])
    values = [(r["step"], finite(r.get(f"val_{metric}"))) for r in folder.records(run)]
    return [(step, -v if higher else v) for step, v in values if v is not None]


def score(folder: SweepFolder, run: Run) -> float | None:
    """Return the figure of a run as one of which less is better; None if it has none."""
    metric, higher = _metric([folder.run_folder(run)])
    value = outcome(folder, run, metric, higher).value
    return -value if value is not None and higher else value


def _metric(folders: Sequence[RunFolder]) -> tuple[str | None, bool]:
    for place in folders:
        found = place.reference or {}
        level, solved = finite(found.get("level")), finite(found.get("solved"))
        if level is not None and solved is not None and isinstance(found.get("of"), str):
            return found["of"], solved > level
    return None, False


def _rank(point: Point, higher: bool) -> tuple[bool, float, int]:
    if not point.values:
        return True, math.inf, point.number
    mean = statistics.fmean(point.values)
    return not point.is_whole, -mean if higher else mean, point.number
