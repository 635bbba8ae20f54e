"""Points of a search, as pure functions of the search space and a seed."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from rumcli.config.field_types import Section
from rumcli.jobs.spec import Settings

_DIGITS = 6  # significant digits of a drawn number, for readability
_PATIENCE = 10_000  # maximum number of successive duplicates
_MOST_WHOLE = 200  # maximum number of integers of a range that are checked individually

Number = Annotated[float, Field(allow_inf_nan=False)]


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

    def at(self, share: float) -> float | int:
        """Return the number at a fraction in [0, 1] of the range."""
        low, high = self.low, self.high
        if self.integer:  # each integer has equal probability, including both ends
            low, high = low - 0.5, high + 0.5
        if self.log:
            low, high = math.log(low), math.log(high)
            return self.number(math.exp(low + share * (high - low)))
        return self.number(low + share * (high - low))


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
    whole, since = size(parameters), 0
    while (whole is None or len(seen) < whole) and since < _PATIENCE:
        point = {key: _drawn(value, generator) for key, value in parameters.items()}
        since += 1
        if (key := identity(point)) not in seen:
            seen.add(key)
            since = 0
            yield point


def corners(parameters: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Yield every combination of listed values and of the low and high ends of all ranges."""
    for share in (0.0, 1.0):
        ends = {
            key: [value.at(share)] if isinstance(value, Range) else value
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
    return [*range(low + 1, min(int(high), low + _MOST_WHOLE)), high]


def size(parameters: Mapping[str, Parameter]) -> int | None:
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


def is_one(parameters: Mapping[str, Parameter], point: Mapping[str, Any]) -> bool:
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
    share = generator.random()
    if isinstance(value, Range):
        return value.at(share)
    return value[int(share * len(value))]
