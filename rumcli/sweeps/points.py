"""The points of a search: pure functions of its space and of a seed."""

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

_DIGITS = 6  # significant ones of a drawn number: enough, and it can be read
_PATIENCE = 10_000  # draws in a row that are there already
_MOST_WHOLE = 200  # whole numbers of a range that are looked at one by one

Number = Annotated[float, Field(allow_inf_nan=False)]


class Range(Section):
    """Numbers between two others, both included.

    Attributes:
        low: The smallest.
        high: The largest.
        log: Whether each factor is as likely as another, in place of each difference.
        integer: Whether only whole numbers are meant.
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
        """Return a number of the range, near `value`, that is short to write."""
        if self.integer:
            return int(min(max(round(value), self.low), self.high))
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def at(self, share: float) -> float | int:
        """Return the number that has a share in [0, 1] of the range below it."""
        low, high = self.low, self.high
        if self.integer:  # each whole number has a part of the range, the first and last too
            low, high = low - 0.5, high + 0.5
        if self.log:
            low, high = math.log(low), math.log(high)
            return self.number(math.exp(low + share * (high - low)))
        return self.number(low + share * (high - low))


Parameter = list[Any] | Range


class PointSource:
    """A source of points; this one yields given points.

    Args:
        points: The points, in an order that depends only on the plan.
    """

    def __init__(self, points: Iterator[Settings]) -> None:
        self._points = points

    def known(self, number: int, settings: Settings) -> None:
        """Receive a point that was drawn before the sweep was interrupted."""
        next(self._points, None)  # it comes again in the same order

    def next(self, number: int) -> Settings | None:
        """Return a new point, of that number; None if there is none."""
        return next(self._points, None)

    def ended(self, number: int, score: float | None) -> None:
        """Receive the mean score of a point, of which less is better; None if no seed has one."""


def grid(parameters: Mapping[str, Parameter]) -> Iterator[Settings]:
    """Yield every combination of lists of values; the last parameter changes fastest."""
    lists = [value for value in parameters.values() if isinstance(value, list)]
    for values in itertools.product(*lists):
        yield dict(zip(parameters, values, strict=True))


def random_points(parameters: Mapping[str, Parameter], seed: int) -> Iterator[Settings]:
    """Yield random points, none of them twice, until there are no others.

    The same seed gives the same points, on every machine.
    """
    # Of a string Python makes a seed in one way, of a tuple not.
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
    """Yield every combination of listed values, with all ranges at their low and high ends."""
    for share in (0.0, 1.0):
        ends = {
            key: [value.at(share)] if isinstance(value, Range) else value
            for key, value in parameters.items()
        }
        yield from grid(ends)


def one_at_a_time(parameters: Mapping[str, Parameter], keys: Iterable[str]) -> Iterator[Settings]:
    """Yield the first corner, and it with each other value of some parameters in turn.

    Of a range of whole numbers these are the first 200, because some may not do, such as odd ones;
    of every range it is the high end.

    Args:
        parameters: The search space.
        keys: Parameters of which all values are yielded; unknown ones are ignored.
    """
    first = next(corners(parameters))
    yield first
    for key in keys:
        if key in parameters:
            yield from ({**first, key: other} for other in _others(parameters[key]))


def _others(value: Parameter) -> list[Any]:
    """Return the values besides the first, as far as they can be counted."""
    if isinstance(value, list):
        return value[1:]
    high = value.at(1.0)
    if not value.integer:
        return [high]
    low = int(value.low)
    return [*range(low + 1, min(int(high), low + _MOST_WHOLE)), high]


def size(parameters: Mapping[str, Parameter]) -> int | None:
    """Return the number of different points; None if a range has no end of numbers."""
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
    """Return a text that is the same for the same point, and for no other."""
    return json.dumps(point, sort_keys=True, default=str)


def _drawn(value: Parameter, generator: random.Random) -> Any:
    share = generator.random()
    if isinstance(value, Range):
        return value.at(share)
    return value[int(share * len(value))]
