"""Specification of a sweep: a YAML file, validated before any run starts, and its points.

Points are pure functions of the search space and a seed.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rumcli import config, errors
from rumcli.config import RunConfig, validation, yaml_io
from rumcli.config.yaml_io import Document
from rumcli.errors import ConfigError
from rumcli.field_types import Positive, Section
from rumcli.jobs import job_spec
from rumcli.jobs.job_spec import MAX_RUNS, Job, JobGroup, JobSetSpec, Settings

_DIGITS = 6  # significant digits of a drawn number, for readability
_MAX_DUPLICATES = 10_000  # maximum number of successive duplicates
_MAX_INTEGERS = 200  # maximum number of integers of a range that are checked individually
Number = Annotated[float, Field(allow_inf_nan=False)]

_MAX_CORNERS = 200  # maximum number of combinations checked before the start
CHANGEABLE = ("max_runs", "max_hours", "retries")  # keys that may differ in a resumed sweep
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Range(Section):
    """Range of numbers with both ends included.

    Attributes:
        low: Smallest number.
        high: Largest number.
        log: Whether numbers are distributed log-uniformly rather than uniformly.
        integer: Whether the range contains only integers.
    """

    low: Number
    high: Number
    log: bool = False
    integer: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low less than high")
        if self.log and self.low <= 0:
            raise ValueError("low above 0 for log")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("whole low and high for integer")
        return self

    def number(self, value: float) -> float | int:
        """Return the number of the range nearest to `value`, rounded to few digits."""
        if self.integer:
            return int(min(max(round(value), self.low), self.high))
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def at(self, fraction: float) -> float | int:
        """Return the number at a fraction in [0, 1] of the range."""
        low, high = self.low, self.high
        if self.integer:  # each integer has equal probability, including both ends
            low, high = low - 0.5, high + 0.5
        if self.log:
            low, high = math.log(low), math.log(high)
            return self.number(math.exp(low + fraction * (high - low)))
        return self.number(low + fraction * (high - low))


Parameter = list[Any] | Range


class PointSource:
    """Source of points; the base class yields given points.

    Args:
        points: Points in an order that depends only on the plan.
    """

    def __init__(self, points: Iterator[Settings]) -> None:
        self._points = points

    def known(self, number: int, settings: Settings) -> None:
        """Register a point that was drawn before the sweep was interrupted."""
        next(self._points, None)  # the source yields it again, in the same order

    def next(self, number: int) -> Settings | None:
        """Return a new point with the given number; None if there is none."""
        return next(self._points, None)

    def ended(self, number: int, score: float | None) -> None:
        """Register the mean score of a point; lower is better, None if no seed has a score."""


def grid(parameters: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Yield every combination of lists of values; the last parameter changes fastest."""
    lists = [value for value in parameters.values() if isinstance(value, list)]
    for values in itertools.product(*lists):
        yield dict(zip(parameters, values, strict=True))


def random_points(parameters: Mapping[str, Parameter], seed: int) -> Iterator[Settings]:
    """Yield distinct random points until the space is exhausted.

    The same seed gives the same points on every machine.
    """
    # Python derives the same seed from a string on every machine, but not from a tuple.
    generator = random.Random(f"rum sweep {seed}")
    seen: set[str] = set()
    total, since = num_points(parameters), 0
    while (total is None or len(seen) < total) and since < _MAX_DUPLICATES:
        point = {key: _drawn(value, generator) for key, value in parameters.items()}
        since += 1
        if (key := identity(point)) not in seen:
            seen.add(key)
            since = 0
            yield point


def corners(parameters: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Yield every combination of listed values and of the low and high ends of all ranges."""
    for fraction in (0.0, 1.0):
        ends = {
            key: [value.at(fraction)] if isinstance(value, Range) else value
            for key, value in parameters.items()
        }
        yield from grid(ends)


def one_at_a_time(parameters: Mapping[str, Parameter], keys: Iterable[str]) -> Iterator[Settings]:
    """Yield the first corner, then variants of it with each other value of one parameter.

    For a range of integers these are the first 200, because some may be invalid, such as odd ones.
    Every range also includes its high end.

    Args:
        parameters: Search space.
        keys: Parameters to vary; unknown ones are ignored.
    """
    first = next(corners(parameters))
    yield first
    for key in keys:
        if key in parameters:
            yield from ({**first, key: other} for other in _others(parameters[key]))


def _others(value: Parameter) -> list[Any]:
    """Return the values after the first: all that are listed, or a subset of a range."""
    if isinstance(value, list):
        return value[1:]
    high = value.at(1.0)
    if not value.integer:
        return [high]
    low = int(value.low)
    return [*range(low + 1, min(int(high), low + _MAX_INTEGERS)), high]


def num_points(parameters: Mapping[str, Parameter]) -> int | None:
    """Return the number of distinct points; None for a continuous range."""
    total = 1
    for value in parameters.values():
        if isinstance(value, list):
            total *= len(value)
        elif value.integer:
            total *= int(value.high - value.low) + 1
        else:
            return None
    return total


def is_point(parameters: Mapping[str, Parameter], point: Mapping[str, Any]) -> bool:
    """Return whether a point is in the search space."""
    return set(point) == set(parameters) and all(
        _is_value(value, point[key]) for key, value in parameters.items()
    )


def _is_value(value: Parameter, setting: Any) -> bool:
    if isinstance(value, list):
        return setting in value
    kinds = int if value.integer else (int, float)
    is_number = isinstance(setting, kinds) and not isinstance(setting, bool)
    return is_number and value.low <= setting <= value.high


def identity(point: Mapping[str, Any]) -> str:
    """Return a string that identifies a point."""
    return json.dumps(point, sort_keys=True, default=str)


def _drawn(value: Parameter, generator: random.Random) -> Any:
    fraction = generator.random()
    if isinstance(value, Range):
        return value.at(fraction)
    return value[int(fraction * len(value))]


class EarlyStopping(Section):
    """Asynchronous successive halving (ASHA), arXiv:1810.05934.

    Attributes:
        grace_period: Number of training steps before a run can be stopped; each later decision is
            at `reduction_factor` times as many steps.
        reduction_factor: At each decision, one in `reduction_factor` runs continues.
    """

    grace_period: Positive
    reduction_factor: Annotated[float, Field(ge=2, le=100)] = 3.0


class SweepSpec(JobSetSpec):
    """Content of a sweep file; docs/sweeps.md documents the keys."""

    search: Literal["grid", "random", "bayesian"] = "grid"
    parameters: dict[str, Any]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    max_runs: Annotated[int, Field(ge=1, le=MAX_RUNS)] | None = None
    max_hours: Annotated[float, Field(gt=0, le=100_000)] | None = None
    early_stopping: EarlyStopping | None = None
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] = 1
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0
    search_seed: Seed = 1


@dataclass(frozen=True)
class SweepPlan:
    """Validated plan of a sweep.

    Attributes:
        spec: Content of the file.
        document: File with line numbers, for error messages.
        base: Base configuration, to which the points are applied.
        parameters: Search space, by key path.
    """

    spec: SweepSpec
    document: Document
    base: RunConfig
    parameters: dict[str, Parameter]

    def run(self, settings: Settings, seed: int) -> RunConfig:
        """Return the configuration of one run.

        Raises:
            ConfigError: If a setting is invalid, or incompatible with others.
        """
        run = job_spec.changed(self.base, self.document, (("parameters",), settings))
        return run.model_copy(update={"seed": seed})

    def group(self, number: int, settings: Settings) -> JobGroup:
        """Return the runs of a point, which may be invalid.

        Args:
            number: Number of the point, from 1.
            settings: Settings of the point.
        """
        seeds, run, error = self.spec.seeds, None, ""
        try:
            if not is_point(self.parameters, settings):
                raise ConfigError("it is not a point of the sweep")
            run = self.run(settings, seeds[0])
        except ConfigError as invalid:
            error = str(invalid)
        configs = [run and run.model_copy(update={"seed": seed}) for seed in seeds]
        most = self.max_points
        is_due = most is None or number <= most
        jobs = (
            Job(f"point-{number}-seed-{seed}", seed, config, error, settings, is_due=is_due)
            for seed, config in zip(seeds, configs, strict=True)
        )
        return JobGroup(number, tuple(jobs))

    def points(self) -> Iterator[Settings] | None:
        """Return all points of a grid or random search without a limit; None if Bayesian."""
        if self.spec.search == "grid":
            return grid(self.parameters)
        if self.spec.search == "random":
            return random_points(self.parameters, self.spec.search_seed)
        return None

    @property
    def max_points(self) -> int | None:
        """Maximum number of points; None if only time limits them."""
        size, max_runs = num_points(self.parameters), self.spec.max_runs
        limits = [] if max_runs is None else [max_runs // len(self.spec.seeds)]
        return min([*limits, *([] if size is None else [size])], default=None)

    @property
    def max_num_runs(self) -> int | None:
        """Maximum number of runs; None if only time limits them."""
        most = self.max_points
        return None if most is None else most * len(self.spec.seeds)

    def listed(self) -> list[Settings] | None:
        """Return all points; None if they depend on results, or if only time limits them."""
        source, most = self.points(), self.max_points
        return None if source is None or most is None else list(itertools.islice(source, most))


def read(
    path: Path,
    max_runs: int | None = None,
    base: RunConfig | None = None,
    seeds: int | None = None,
) -> SweepPlan:
    """Read and validate the file of a sweep.

    Args:
        path: File to read.
        max_runs: Maximum number of runs, which overrides the file.
        base: Base configuration; None for the one named in the file.
        seeds: Number of seeds, from 1, which overrides the file.

    Raises:
        ConfigError: If a key, a value, or a point is invalid.
    """
    document = yaml_io.read(path)
    spec = validation.validated(document, SweepSpec)
    if max_runs is not None:
        spec = spec.model_copy(update={"max_runs": max_runs})
    if seeds is not None:
        if seeds > MAX_RUNS:
            raise ConfigError(f"{errors.option('--seeds', seeds)}: expected at most {MAX_RUNS:,}")
        spec = spec.model_copy(update={"seeds": list(range(1, seeds + 1))})
    place = ("parameters",)
    if not spec.parameters:
        raise ConfigError(f"{document.locate(place)}: parameters: expected at least one")
    job_spec.check_settings(document, place, spec.parameters)
    parameters = {key: _parameter(document, key, spec) for key in spec.parameters}
    plan = SweepPlan(spec, document, base or _base(document, spec), parameters)
    _check_limits(plan)
    # An existing sweep can be shown and resumed even if some of its future points are invalid.
    _check_points(plan, one_by_one=base is None)
    return plan


def to_yaml(spec: SweepSpec) -> str:
    """Return the complete specification as YAML."""
    return yaml_io.dump(spec.model_dump())


def differences(one: SweepSpec, other: SweepSpec) -> list[str]:
    """Return the keys whose values differ between two specifications, except for `CHANGEABLE`."""
    left, right = one.model_dump(exclude=set(CHANGEABLE)), other.model_dump()
    changed = []
    for key, value in left.items():
        if isinstance(value, dict) and isinstance(right[key], dict):
            inner = dict.fromkeys([*value, *right[key]])
            changed += [f"{key}: {k}" for k in inner if value.get(k) != right[key].get(k)]
        elif value != right[key]:
            changed.append(key)
    return changed


def _base(document: Document, spec: SweepSpec) -> RunConfig:
    base = job_spec.base_config(document, spec.task, spec.preset)
    job_spec.check_settings(document, ("set",), spec.set)
    base = config.changed(base, validation.layer(document, (("set",), spec.set)))
    data = getattr(base.task, "data", None)
    if data is not None:  # the directories may differ, also between machines
        task = base.task.model_copy(update={"data": str(Path(data).resolve())})
        base = base.model_copy(update={"task": task})
    return base


def _parameter(document: Document, key: str, spec: SweepSpec) -> Parameter:
    value, place = spec.parameters[key], ("parameters", key)
    where = f"{document.locate(place)}: {key}: "
    if isinstance(value, list) and value:
        if any(value.count(one) > 1 for one in value):
            raise ConfigError(f"{where}a value is listed twice")
        return value
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}expected a list of values, or a range such as "
            f"{{low: 0.001, high: 0.1, log: true}}, got {errors.shown(value)}"
        )
    if spec.search == "grid":
        raise ConfigError(
            f"{where}a grid search requires lists of values; for a range, set 'search: random' or "
            "'search: bayesian'"
        )
    return validation.validated(document, Range, place)


def _check_limits(plan: SweepPlan) -> None:
    spec, where = plan.spec, plan.document.source
    seeds, most, steps = len(spec.seeds), plan.max_points, plan.base.train.steps
    early = spec.early_stopping
    problems = [
        (len(set(spec.seeds)) < seeds, "seeds: a seed is listed twice"),
        (
            spec.max_runs is not None and spec.max_runs < seeds,
            f"max_runs: {spec.max_runs} runs are too few for one point with {seeds} seeds",
        ),
        (
            spec.gpus_per_run > 1 and not spec.gpus_per_run.is_integer(),
            f"gpus_per_run: expected a whole number above 1, got {spec.gpus_per_run:g}",
        ),
        (
            most is None and spec.max_hours is None,
            f"a {spec.search} search needs a limit: 'max_runs', such as {10 * seeds}, or "
            "'max_hours'",
        ),
        (
            most is not None and most * seeds > MAX_RUNS,
            f"{most or 0:,} points with {seeds} seeds each exceed {MAX_RUNS:,} runs; "
            "expected fewer values, or a limit: 'max_runs'",
        ),
        (
            early is not None and "train.steps" in plan.parameters,
            "early_stopping compares runs at the same step; it is incompatible with a varied "
            "train.steps",
        ),
        (
            early is not None and early.grace_period >= steps,
            f"early_stopping.grace_period: expected less than train.steps, {steps}, "
            f"got {early.grace_period if early else None}",
        ),
    ]
    for is_wrong, problem in problems:
        if is_wrong:
            raise ConfigError(f"{where}: {problem}")


def _check_points(plan: SweepPlan, one_by_one: bool) -> None:
    """Check all points, or for a large search only those at the ends of the ranges.

    Args:
        plan: Plan of the sweep.
        one_by_one: Whether to check each single value too. For a large search, the first
            combinations do not include all values.
    """
    settings_to_check = [*itertools.islice(corners(plan.parameters), _MAX_CORNERS)]
    if one_by_one:
        settings_to_check += one_at_a_time(plan.parameters, plan.parameters)
    for settings in [*settings_to_check, *(plan.listed() or [])]:
        plan.run(settings, plan.spec.seeds[0])
