"""What a result must be for a command to succeed, as in `symbol_accuracy>=0.99`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rumcli import suggest
from rumcli.errors import ConfigError, RunError

if TYPE_CHECKING:
    from rumcli.tasks.base import Task

_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Requirement:
    """A bound on one figure of a result.

    Attributes:
        name: The figure's key in the result.
        comparison: `">="`, `"<="`, `">"` or `"<"`.
        bound: What it is compared with.
    """

    name: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.bound:g}"

    def is_met(self, value: float | None) -> bool:
        """Tell whether a figure is as it must be; one that is not a number never is."""
        return value is not None and _COMPARISONS[self.comparison](value, self.bound)


def parse(texts: Iterable[str]) -> list[Requirement]:
    """Read requirements.

    Raises:
        ConfigError: If one has another form than NAME>=NUMBER.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Requirement:
    found = _FORM.fullmatch(text)
    try:
        if found and math.isfinite(bound := float(found[3])):
            return Requirement(found[1], found[2], bound)
    except ValueError:
        pass
    raise ConfigError(
        f"--require '{text}': expected NAME>=NUMBER, or <=, > or <, as in 'accuracy>=0.95'"
    )


def figures(task: Task) -> list[str]:
    """Return the names of the figures that an evaluation of a task has."""
    measured = {"loss": 1.0, task.metric: 1.0}
    return [*task.complete(measured), "distance", "fraction_of_the_way"]


def figures_in(result: Mapping[str, Any]) -> list[str]:
    """Return the names of what are figures in a result; one that is not finite is None there."""
    return [name for name, value in result.items() if value is None or type(value) in (int, float)]


def check_names(requirements: Iterable[Requirement], known: Sequence[str]) -> None:
    """Make sure that the result will have every figure.

    Raises:
        ConfigError: If it will not.
    """
    for requirement in requirements:
        if requirement.name not in known:
            unknown = suggest.unknown("figure", requirement.name, known)
            raise ConfigError(f"--require '{requirement}': {unknown}")


def judged(requirements: Sequence[Requirement], result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with what each requirement was, its figure, and whether it is met."""
    if not requirements:
        return result
    found = [
        {
            "requirement": str(requirement),
            "value": result.get(requirement.name),
            "met": requirement.is_met(result.get(requirement.name)),
        }
        for requirement in requirements
    ]
    return {**result, "required": found}


def enforce(result: Mapping[str, Any]) -> None:
    """Make a failure of a result that falls short.

    Args:
        result: What `judged` returned.

    Raises:
        RunError: If a requirement is not met.
    """
    missed = [
        f"{found['requirement']}, got {_spoken(found['value'])}"
        for found in result.get("required", [])
        if not found["met"]
    ]
    if missed:
        raise RunError(f"required {'; '.join(missed)}")


def _spoken(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"
