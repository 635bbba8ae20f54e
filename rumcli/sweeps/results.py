"""Results of a sweep, computed from its run directories.

The value of a run is its best validation, because selecting points by the test split would bias the
test. The test metric is reported beside it.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rumcli.jobs import results as job_results
from rumcli.jobs.events import Job
from rumcli.jobs.folder import finite
from rumcli.jobs.results import GroupResult, JobResult, Measure, SetResults, statistics_of
from rumcli.json_schemas.job_sets import PointResult, PointRun, SweepReport
from rumcli.sweeps.folder import SweepFolder
from rumcli.sweeps.plan import SweepPlan
from rumcli.training.run_dir import RunDir


@dataclass(frozen=True)
class SweepResults(SetResults):
    """Results of a sweep.

    Attributes:
        plan: Plan of the sweep.
        metric: Metric that compares the points; None before the first run.
        higher_is_better: Direction of the metric.
    """

    plan: SweepPlan
    metric: str | None
    higher_is_better: bool

    @functools.cached_property
    def points(self) -> list[GroupResult]:
        """Points, best first; points with a run without a value are last."""
        sign = -1 if self.higher_is_better else 1

        def rank(point: GroupResult) -> tuple[bool, float]:
            mean = sign * statistics.fmean(point.values) if point.values else math.inf
            return not point.is_whole, mean

        return sorted(self.groups, key=rank)

    @functools.cached_property
    def document(self) -> SweepReport:
        """Document of `rum sweep --json`."""
        return SweepReport(
            folder=str(self.folder.path),
            task=self.plan.base.task.name,
            search=self.plan.spec.search,
            metric=self.metric,
            higher_is_better=self.higher_is_better,
            parameters=list(self.plan.parameters),
            runs_planned=self.planned,
            runs=self.states,
            points=[
                PointResult(
                    point=point.key,
                    settings=settings_of(point),
                    validation=statistics_of(point.values),
                    test=statistics_of(point.tests),
                    runs=[
                        PointRun(**one.fields, validation=one.value, test=one.test)
                        for one in point.runs
                    ],
                )
                for point in self.points
            ],
        )


def read(folder: SweepFolder, plan: SweepPlan | None = None) -> SweepResults:
    """Read the results of a sweep.

    Args:
        folder: Directory of the sweep.
        plan: Plan of the sweep; None for the one in the directory.

    Raises:
        ConfigError: If the specification cannot be read.
        RunError: If the points cannot be read.
    """
    plan = plan or folder.plan()
    groups = [plan.group(number, point) for number, point in enumerate(folder.points(), 1)]
    metric, higher = _metric(folder.run_folder(job) for group in groups for job in group.jobs)
    found = job_results.read(folder, groups, _measure(metric, higher))
    return SweepResults(folder, found, plan.most_runs, plan, metric, higher)


def settings_of(point: GroupResult) -> dict[str, Any]:
    """Return the settings of a point, by key path."""
    return dict(point.runs[0].job.settings)


def curve(folder: SweepFolder, job: Job) -> list[tuple[int, float]]:
    """Return step and score of each evaluation of a run; lower is better."""
    metric, higher = _metric([folder.run_folder(job)])
    values = [(r["step"], finite(r.get(f"val_{metric}"))) for r in folder.records(job)]
    return [(step, -v if higher else v) for step, v in values if v is not None]


def _measure(metric: str | None, higher: bool) -> Measure:
    best = max if higher else min

    def measured(found: JobResult) -> JobResult:
        values = [v for r in found.records if (v := finite(r.get(f"val_{metric}"))) is not None]
        test = None if metric is None else finite((found.metrics or {}).get(metric))
        return replace(found, value=best(values, default=None), test=test)

    return measured


def _metric(folders: Iterable[RunDir]) -> tuple[str | None, bool]:
    for place in folders:
        found = place.baseline or {}
        level, solved = finite(found.get("value")), finite(found.get("target"))
        if level is not None and solved is not None and isinstance(found.get("metric"), str):
            return found["metric"], solved > level
    return None, False
