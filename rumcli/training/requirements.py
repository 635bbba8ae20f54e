"""What a result must be for a command to succeed, as in `symbol_accuracy>=0.99`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rumcli import bounds, suggest
from rumcli.bounds import Requirement
from rumcli.errors import ConfigError, RunError

if TYPE_CHECKING:
    from rumcli.tasks.base import Task


def parse(texts: Iterable[str]) -> list[Requirement]:
    """Read requirements.

    Raises:
        ConfigError: If one has another form than NAME>=NUMBER.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Requirement:
    try:
        return bounds.read(text)
    except ValueError as error:
        raise ConfigError(f"--require '{text}': expected {error}") from error


def figures(task: Task) -> list[str]:
    """Return the names of the figures that an evaluation of a task has."""
    return [*validated(task), "distance", "fraction_of_the_way"]


def validated(task: Task) -> list[str]:
    """Return the names of the figures that a validation has while a task is trained."""
    return [*task.complete({"loss": 1.0, task.metric: 1.0})]


def figures_in(result: Mapping[str, Any]) -> list[str]:
    """Return the names of what are figures in a result; one that is not finite is None there."""
    return [name for name, value in result.items() if value is None or type(value) in (int, float)]


def check_names(
    requirements: Iterable[Requirement], known: Sequence[str], where: str = "--require"
) -> None:
    """Make sure that the result will have every figure.

    Args:
        requirements: What will be asked.
        known: The names of the figures.
        where: What asks for them, in the message.

    Raises:
        ConfigError: If it will not.
    """
    for requirement in requirements:
        if requirement.name not in known:
            unknown = suggest.unknown("figure", requirement.name, known)
            raise ConfigError(f"{where} '{requirement}': {unknown}")


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
