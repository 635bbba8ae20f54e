"""What a sweep is: the description in a YAML file, checked before anything starts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from rumcli import config, suggest
from rumcli.config import RunConfig, described, explain, yaml_file
from rumcli.config.sections import Positive, Section
from rumcli.config.yaml_file import Document
from rumcli.errors import ConfigError
from rumcli.sweeps import points
from rumcli.sweeps.points import Parameter, Range, Settings

_MOST_RUNS = 10_000
_SEEDS = "seeds: [1, 2, 3]"
_MOST_CORNERS = 200  # combinations that are tried out before the start
# What a sweep that goes on may have otherwise than before.
CHANGEABLE = ("runs", "hours", "retries")

Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class EarlyStopping(Section):
    """Asynchronous successive halving (ASHA), arXiv:1810.05934.

    Attributes:
        first: Training steps before a run can be stopped; the next times are `factor` times later
            each.
        factor: At each of these times one in so many runs goes on.
    """

    first: Positive
    factor: Annotated[float, Field(ge=2, le=100)] = 3.0


class Description(Section):
    """A sweep, as the file has it; docs/sweeps.md describes each key."""

    preset: str | None = None
    task: str | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    search: Literal["grid", "random", "bayesian"] = "grid"
    parameters: dict[str, Any]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    runs: Annotated[int, Field(ge=1, le=_MOST_RUNS)] | None = None
    hours: Annotated[float, Field(gt=0, le=100_000)] | None = None
    early_stopping: EarlyStopping | None = None
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] = 1
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 0.0
    retries: Annotated[int, Field(ge=0, le=1000)] = 3
    search_seed: Seed = 1


@dataclass(frozen=True)
class Plan:
    """A sweep that can be run.

    Attributes:
        description: What the file says.
        document: The file, for the places of mistakes.
        base: The configuration that the points change.
        parameters: What is varied, by key path.
    """

    description: Description
    document: Document
    base: RunConfig
    parameters: dict[str, Parameter]

    def run(self, settings: Settings, seed: int) -> RunConfig:
        """Return the configuration of one run.

        Raises:
            ConfigError: If a setting is wrong, or wrong beside the others.
        """
        layer = described.layer(self.document, (("parameters",), settings))
        return config.changed(self.base, layer).model_copy(update={"seed": seed})

    def fault(self, settings: Settings) -> str | None:
        """Return why a point can't be run; None if it can."""
        try:
            self.run(settings, self.description.seeds[0])
        except ConfigError as error:
            return str(error)
        return None

    def points(self) -> Iterator[Settings] | None:
        """Return the points of a grid or a random search, without a limit; None if Bayesian."""
        if self.description.search == "grid":
            return points.grid(self.parameters)
        if self.description.search == "random":
            return points.random_points(self.parameters, self.description.search_seed)
        return None

    @property
    def most_points(self) -> int | None:
        """How many points there can be; None if only time limits them."""
        size, runs = points.size(self.parameters), self.description.runs
        limits = [] if runs is None else [runs // len(self.description.seeds)]
        return min([*limits, *([] if size is None else [size])], default=None)

    @property
    def most_runs(self) -> int | None:
        """How many runs there can be; None if only time limits them."""
        most = self.most_points
        return None if most is None else most * len(self.description.seeds)

    def includes(self, number: int) -> bool:
        """Tell whether the point drawn as that number, from 1, is within the limit of runs."""
        most = self.most_points
        return most is None or number <= most

    def listed(self) -> list[Settings] | None:
        """Return all points, of a search that knows them beforehand; else None."""
        source, most = self.points(), self.most_points
        return None if source is None or most is None else list(itertools.islice(source, most))


def read(
    path: Path, runs: int | None = None, base: RunConfig | None = None, seeds: int | None = None
) -> Plan:
    """Read and check a description.

    Args:
        path: The file.
        runs: A limit of runs in place of the file's.
        base: The configuration that the points change; None: that which the file names.
        seeds: Number of seeds, from 1, in place of the file's.

    Raises:
        ConfigError: If something in it is wrong: a key, a value, or a point that can't be run.
    """
    document = yaml_file.read(path)
    description = described.validated(document, Description)
    if runs is not None:
        description = description.model_copy(update={"runs": runs})
    if seeds is not None:
        if seeds > _MOST_RUNS:
            raise ConfigError(f"--seeds {seeds}: expected at most {_MOST_RUNS:,}")
        description = description.model_copy(update={"seeds": list(range(1, seeds + 1))})
    parameters = {key: _parameter(document, key, description) for key in description.parameters}
    if not parameters:
        raise ConfigError(f"{document.locate(('parameters',))}: parameters: there are none to vary")
    described.check_apart(document, ("parameters",), parameters)
    plan = Plan(description, document, base or _base(document, description), parameters)
    _check_limits(plan)
    # What a sweep that is there has drawn can be shown and gone on with, whatever it may draw yet.
    _check_points(plan, one_by_one=base is None)
    return plan


def to_yaml(description: Description) -> str:
    """Write a description, complete."""
    return yaml_file.dump(description.model_dump())


def differences(one: Description, other: Description) -> list[str]:
    """Return the keys in which two descriptions differ, apart from those that may change."""
    left, right = one.model_dump(), other.model_dump()
    found = []
    for key in left:
        if key in CHANGEABLE or left[key] == right[key]:
            continue
        if isinstance(left[key], dict) and isinstance(right[key], dict):
            inner = dict.fromkeys([*left[key], *right[key]])
            found += [f"{key}: {k}" for k in inner if left[key].get(k) != right[key].get(k)]
        else:
            found.append(key)
    return found


def _base(document: Document, description: Description) -> RunConfig:
    if description.preset is None and description.task is None:
        raise ConfigError(f"{document.source}: expected 'preset' or 'task', as in 'task: copying'")
    try:
        base = config.build(description.preset, (), {("task", "name"): description.task})
    except ConfigError as error:
        raise ConfigError(f"{document.source}: {error}") from error
    for key in description.set:
        described.check_key(document, ("set",), key, _SEEDS)
    described.check_apart(document, ("set",), description.set)
    base = config.changed(base, described.layer(document, (("set",), description.set)))
    data = getattr(base.task, "data", None)
    if data is not None:  # the runs may be in other folders, and on other machines
        task = base.task.model_copy(update={"data": str(Path(data).resolve())})
        base = base.model_copy(update={"task": task})
    return base


def _parameter(document: Document, key: str, description: Description) -> Parameter:
    described.check_key(document, ("parameters",), key, _SEEDS)
    value, where = description.parameters[key], document.locate(("parameters", key))
    if isinstance(value, list) and value:
        if any(value.count(one) > 1 for one in value):
            raise ConfigError(f"{where}: {key}: a value is there twice")
        return value
    if not isinstance(value, dict):
        raise ConfigError(
            f"{where}: {key}: expected a list of values, or a range such as "
            f"{{low: 0.001, high: 0.1, log: true}}, got {suggest.shown(value)}"
        )
    if description.search == "grid":
        raise ConfigError(
            f"{where}: {key}: a grid takes lists of values; for a range: 'search: random' or "
            "'search: bayesian'"
        )
    try:
        return Range.model_validate(value)
    except ValidationError as error:
        finding = described.first(error)
    inner = str(finding["loc"][0]) if finding["loc"] else ""
    if finding["type"] == "extra_forbidden":
        raise ConfigError(f"{where}: {key}: {suggest.unknown('key', inner, Range.model_fields)}")
    if finding["type"] == "missing":
        raise ConfigError(f"{where}: {key}: '{inner}' is missing")
    expected = explain.expected(finding)
    raise ConfigError(f"{where}: {key}: {f'{inner}: ' if inner else ''}expected {expected}")


def _check_limits(plan: Plan) -> None:
    found, where = plan.description, plan.document.source
    seeds = len(found.seeds)
    if len(set(found.seeds)) < seeds:
        raise ConfigError(f"{where}: seeds: a seed is there twice")
    if found.runs is not None and found.runs < seeds:
        raise ConfigError(
            f"{where}: runs: {found.runs} are too few for one point with {seeds} seeds"
        )
    if found.gpus_per_run > 1 and not found.gpus_per_run.is_integer():
        raise ConfigError(
            f"{where}: gpus_per_run: {found.gpus_per_run:g}; above 1 expected a whole number"
        )
    most = plan.most_points
    if most is None and found.hours is None:
        raise ConfigError(
            f"{where}: a {found.search} search needs a limit: 'runs', such as {10 * seeds}, or "
            "'hours'"
        )
    if most is not None and most * seeds > _MOST_RUNS:
        raise ConfigError(
            f"{where}: {most:,} points with {seeds} seeds each are more than {_MOST_RUNS:,} runs; "
            "expected fewer values, or a limit: 'runs'"
        )
    if found.early_stopping and "train.steps" in plan.parameters:
        raise ConfigError(
            f"{where}: early_stopping compares runs at the same step; it can't go with a varied "
            "train.steps"
        )
    if found.early_stopping and found.early_stopping.first >= plan.base.train.steps:
        raise ConfigError(
            f"{where}: early_stopping.first: expected less than train.steps, "
            f"{plan.base.train.steps}, got {found.early_stopping.first}"
        )


def _check_points(plan: Plan, one_by_one: bool) -> None:
    """Make sure that every point can be run, or of very many, those at the ends of the ranges.

    Args:
        plan: What is checked.
        one_by_one: Whether to look at each single value too, of which the first combinations of
            very many do not have all.
    """
    found = [*itertools.islice(points.corners(plan.parameters), _MOST_CORNERS)]
    if one_by_one:
        found += points.one_at_a_time(plan.parameters, plan.parameters)
    for settings in [*found, *(plan.listed() or [])]:
        run = plan.run(settings, plan.description.seeds[0])
        if getattr(run.task, "subtask", None) == config.ALL:
            raise ConfigError(
                f"{plan.document.source}: task.subtask: a sweep can't have all; expected a number, "
                "or several under 'parameters'"
            )
