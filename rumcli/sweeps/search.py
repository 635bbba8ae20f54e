"""Search of a sweep: its directory, its results, the sequence of its points, and early stopping.

The directory is readable without this code. `sweep.yaml` is the specification, `base.yaml` the base
configuration, and `points.jsonl` lists the points in the order in which they were drawn. Each run
has a run directory `point-N-seed-S`, and `results.json` is written at the end.

The value of a run is its best validation, because selecting points by the test split would bias the
test. The test metric is reported beside it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from rumcli import atomic_io, config, parsing
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.jobs import job_folder as job_results
from rumcli.jobs.engine import Halving, JobSource
from rumcli.jobs.job_folder import (
    GroupResult,
    JobFolder,
    JobResult,
    Measure,
    SetResults,
    finite,
    statistics_of,
)
from rumcli.jobs.job_spec import Job, JobGroup, Settings
from rumcli.json_schemas.results import PointResult, PointRun, SweepReport
from rumcli.sweeps import sweep_spec
from rumcli.sweeps.sweep_spec import PointSource, SweepPlan
from rumcli.training import lock, run_files
from rumcli.training.run_dir import RunDir

SWEEPS = Path("sweeps")

_MAX_INVALID = 100  # maximum number of successive invalid points


class SweepFolder(JobFolder):
    """Files of a sweep."""

    command, argument, noun = "sweep", "FILE", "sweep"
    described_by = ("base.yaml", "sweep.yaml")

    @classmethod
    @contextlib.contextmanager
    def claim(cls, path: Path | None, stem: str, plan: SweepPlan) -> Iterator[Self]:
        """Create the directory of a new sweep and lock it for the duration of the block.

        If the block raises a ConfigError before it has drawn a point or started a run, the
        directory is removed.

        Args:
            path: Directory to create; an existing one must be empty or left from an interrupted
                creation. None selects `sweeps/STEM-1`, or the next free number.
            stem: Name of the sweep.
            plan: Plan of the sweep.

        Raises:
            ConfigError: If the path is in use or cannot be written.
            RunError: If another process has locked it.
        """
        stem = re.sub(r"[^\w.-]", "-", stem) or "sweep"
        with contextlib.ExitStack() as stack:
            try:
                directory = stack.enter_context(lock.claimed(path, SWEEPS, stem, cls.described_by))
                folder = cls(directory)
                atomic_io.write_text(directory / "base.yaml", config.to_yaml(plan.base))
                folder.write_spec(plan)
            except OSError as error:
                raise ConfigError(atomic_io.cannot_write(path or SWEEPS, error)) from error
            yield folder

    @property
    def base(self) -> RunConfig:
        """Base configuration, to which the points are applied."""
        return config.from_file(self.path / "base.yaml")

    def plan(self, max_runs: int | None = None, seeds: int | None = None) -> SweepPlan:
        """Return the plan in the directory, with an optional new limit or number of seeds."""
        return sweep_spec.read(self.path / "sweep.yaml", max_runs, self.base, seeds)

    def write_spec(self, plan: SweepPlan) -> None:
        """Write `sweep.yaml`."""
        atomic_io.write_text(self.path / "sweep.yaml", sweep_spec.to_yaml(plan.spec))

    def points(self) -> list[Settings]:
        """Return the points drawn so far, up to a truncated line.

        Raises:
            RunError: If the file cannot be read.
        """
        path = self.path / "points.jsonl"
        try:
            lines = atomic_io.read_regular(path, run_files.LARGEST).splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"can't read {path}: {error.strerror or error}") from error
        points = []
        for line in lines:
            try:
                point = parsing.parse_json(line, allow_nan=True)
            except ValueError:
                break
            if not isinstance(point, dict):
                break
            points.append(point)
        return points

    def write_points(self, points: list[Settings]) -> None:
        """Write `points.jsonl`."""
        lines = "".join(json.dumps(point) + "\n" for point in points)
        atomic_io.write_text(self.path / "points.jsonl", lines)


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
            task=self.plan.base.task.label,
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


def read_results(folder: SweepFolder, plan: SweepPlan | None = None) -> SweepResults:
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
    metric, higher = _metric(folder.run_dir(job) for group in groups for job in group.jobs)
    results = job_results.read_results(folder, groups, _measure(metric, higher))
    return SweepResults(folder, results, plan.max_num_runs, plan, metric, higher)


def settings_of(point: GroupResult) -> dict[str, Any]:
    """Return the settings of a point, by key path."""
    return dict(point.runs[0].job.settings)


def curve(folder: SweepFolder, job: Job) -> list[tuple[int, float]]:
    """Return step and score of each evaluation of a run; lower is better."""
    metric, higher = _metric([folder.run_dir(job)])
    values = [(r["step"], finite(r.get(f"val_{metric}"))) for r in folder.records(job)]
    return [(step, -v if higher else v) for step, v in values if v is not None]


def _measure(metric: str | None, higher: bool) -> Measure:
    best = max if higher else min

    def measured(result: JobResult) -> JobResult:
        values = [v for r in result.records if (v := finite(r.get(f"val_{metric}"))) is not None]
        test = None if metric is None else finite((result.metrics or {}).get(metric))
        return replace(result, value=best(values, default=None), test=test)

    return measured


def _metric(folders: Iterable[RunDir]) -> tuple[str | None, bool]:
    for run_dir in folders:
        baseline = run_dir.baseline or {}
        level, solved = finite(baseline.get("value")), finite(baseline.get("target"))
        if level is not None and solved is not None and isinstance(baseline.get("metric"), str):
            return baseline["metric"], solved > level
    return None, False


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
        self._invalid: list[str] = []  # reasons of the latest successive invalid points
        for number, settings in enumerate(self._points, 1):
            if not sweep_spec.is_point(plan.parameters, settings):
                raise RunError(
                    f"{folder.path}/points.jsonl: line {number} is not a point of the sweep"
                )
            self._source.known(number, settings)
        super().__init__([plan.group(*one) for one in enumerate(self._points, 1)])

    @property
    def planned(self) -> int | None:
        """Number of runs that are due; None if only time limits them."""
        return self._plan.max_num_runs

    @property
    def left(self) -> int:
        """Number of runs that may still be drawn, as far as known."""
        most = self._plan.max_points
        more = 0 if most is None or self.gave_up else max(0, most - len(self._points))
        return more * len(self._plan.spec.seeds)

    @property
    def gave_up(self) -> str | None:
        """Reason for drawing no more points after too many invalid ones in a row, else None."""
        if len(self._invalid) < _MAX_INVALID:
            return None
        return (
            f"the last {_MAX_INVALID} points drawn are invalid; "
            f"point-{len(self._points)}: {self._invalid[-1]}"
        )

    def draw(self) -> JobGroup | None:
        """Return the runs of a new point; None if there is none."""
        number, most = len(self._points) + 1, self._plan.max_points
        if (most is not None and number > most) or self.gave_up is not None:
            return None
        if (settings := self._source.next(number)) is None:
            return None
        self._points.append(settings)
        self._folder.write_points(self._points)
        group = self._plan.group(number, settings)
        error = group.jobs[0].error
        self._invalid = [*self._invalid, error] if error else []
        return group

    def ended(self, group: JobGroup) -> None:
        """Pass the mean score of a point to the source of points."""
        curves = [curve(self._folder, job) for job in group.jobs]
        scores = [min(score for _, score in curve) for curve in curves if curve]
        self._source.ended(group.key, statistics.fmean(scores) if scores else None)


def halving(plan: SweepPlan, folder: SweepFolder) -> Halving | None:
    """Return the early stopping of a sweep, with all validations so far; None without one."""
    settings = plan.spec.early_stopping
    if settings is None:
        return None
    early_stopping = Halving(
        settings.grace_period, settings.reduction_factor, plan.base.train.steps
    )
    for number, point in enumerate(folder.points(), 1):
        for job in plan.group(number, point).jobs:
            for step, score in curve(folder, job):
                early_stopping.allows(job.name, step, score)
    return early_stopping
