"""What a result must be for a command to succeed, as in `symbol_accuracy>=0.99`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rumcli import messages, thresholds
from rumcli.errors import ConfigError, RunError
from rumcli.thresholds import Threshold

if TYPE_CHECKING:
    from rumcli.config import RunConfig
    from rumcli.tasks.base import Task


def parse(texts: Iterable[str]) -> list[Threshold]:
    """Read requirements.

    Raises:
        ConfigError: If one has another form than NAME>=NUMBER.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Threshold:
    try:
        return thresholds.read(text)
    except ValueError as error:
        raise ConfigError(f"--require '{text}': expected {error}") from error


# Of the summary of a training run, besides those of its test.
OF_TRAINING = ("parameters", "steps", "seconds", "skipped_steps")
# Of the summary of all subtasks of bAbI.
OF_SUITE = ("mean_accuracy", "passed", "steps", "seconds")


def check_early(
    requirements: Iterable[Threshold], run: RunConfig, others: Sequence[str] = ()
) -> None:
    """Make sure that a result will have every figure, before the backend starts.

    A user's own task is left to `check_names`: only its code has the names.

    Args:
        requirements: The requirements.
        run: The configuration.
        others: Further figures of the result.

    Raises:
        ConfigError: If it will not.
    """
    if run.task.figures:
        check_names(requirements, [*run.task.figures, *others])


def figures(task: Task) -> list[str]:
    """Return the names of the figures that an evaluation of a task has."""
    return [*validated(task), "gap_to_baseline", "normalized_score"]


def validated(task: Task) -> list[str]:
    """Return the names of the figures that a validation has while a task is trained."""
    return [*task.derive_metrics({"loss": 1.0, task.metric: 1.0})]


def figures_in(result: Mapping[str, Any]) -> list[str]:
    """Return the names of what are figures in a result; one that is not finite is None there."""
    return [name for name, value in result.items() if value is None or type(value) in (int, float)]


def check_names(
    requirements: Iterable[Threshold], known: Sequence[str], where: str = "--require"
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
            unknown = messages.unknown("figure", requirement.name, known)
            raise ConfigError(f"{where} '{requirement}': {unknown}")


def with_verdicts(requirements: Sequence[Threshold], result: dict[str, Any]) -> dict[str, Any]:
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
    if isinstance(value, int):
        return str(value)
    return "none" if value is None else f"{value:.6g}"
