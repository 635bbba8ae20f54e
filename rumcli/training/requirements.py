"""Thresholds that a result must meet for a command to succeed, as in `symbol_accuracy>=0.99`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rumcli import errors, parsing
from rumcli.errors import ConfigError, RunError
from rumcli.parsing import Threshold

if TYPE_CHECKING:
    from rumcli.config import RunConfig
    from rumcli.tasks.base import Task


def parse(texts: Iterable[str]) -> list[Threshold]:
    """Parse requirements.

    Args:
        texts: Requirements of the form NAME>=NUMBER.

    Returns:
        The thresholds, in the same order.

    Raises:
        ConfigError: If a text has another form.
    """
    return [_parse(text) for text in texts]


def _parse(text: str) -> Threshold:
    try:
        return parsing.parse_threshold(text)
    except ValueError as error:
        raise ConfigError(f"{errors.option('--require', text)}: expected {error}") from error


# Metrics of a training summary besides those of its test evaluation.
TRAINING_METRICS = ("parameters", "steps", "seconds", "skipped_steps")
# Metrics of the bAbI suite summary.
SUITE_METRICS = ("mean_accuracy", "passed", "steps", "seconds")


def check_early(
    requirements: Iterable[Threshold], run: RunConfig, others: Sequence[str] = ()
) -> None:
    """Check the metric names of requirements before the backend starts.

    Custom tasks are skipped and left to `check_names`: only their code defines the names.

    Args:
        requirements: Thresholds to check.
        run: Run configuration.
        others: Names of further metrics in the result.

    Raises:
        ConfigError: If the result will lack a metric.
    """
    if run.task.metrics:
        check_names(requirements, [*run.task.metrics, *others])


def result_metrics(task: Task) -> list[str]:
    """Return the metric names in an evaluation of a task."""
    return [*validation_metrics(task), "gap_to_baseline", "normalized_score"]


def validation_metrics(task: Task) -> list[str]:
    """Return the metric names in a validation record of a training run."""
    return [*task.derive_metrics({"loss": 1.0, task.metric: 1.0})]


def metrics_in(result: Mapping[str, Any]) -> list[str]:
    """Return the metric names in a result, where a non-finite value is None."""
    return [name for name, value in result.items() if value is None or type(value) in (int, float)]


def check_names(requirements: Iterable[Threshold], available: Sequence[str], key: str = "") -> None:
    """Check that the result will have every required metric.

    Args:
        requirements: Thresholds to check.
        available: Names of the metrics in the result.
        key: Key that sets the requirements, for the message; empty for `--require`.

    Raises:
        ConfigError: If the result will lack a metric.
    """
    for requirement in requirements:
        if requirement.name not in available:
            unknown = errors.unknown("metric", requirement.name, available)
            text = str(requirement)
            where = f"{key}={text}" if key else errors.option("--require", text)
            raise ConfigError(f"{where}: {unknown}")


def with_verdicts(requirements: Sequence[Threshold], result: dict[str, Any]) -> dict[str, Any]:
    """Return a result with an entry per requirement: its text, the value, and whether it is met."""
    if not requirements:
        return result
    verdicts = [
        {
            "requirement": str(requirement),
            "value": result.get(requirement.name),
            "met": requirement.is_met(result.get(requirement.name)),
        }
        for requirement in requirements
    ]
    return {**result, "requirements": verdicts}


def enforce(result: Mapping[str, Any]) -> None:
    """Raise an error for a result that misses a requirement.

    Args:
        result: Result returned by `with_verdicts`.

    Raises:
        RunError: If a requirement is not met.
    """
    missed = [
        f"{verdict['requirement']} (got {_format_value(verdict['value'])})"
        for verdict in result.get("requirements", [])
        if not verdict["met"]
    ]
    if missed:
        raise RunError(f"the result does not meet {' and '.join(missed)}")


def _format_value(value: float | None) -> str:
    if isinstance(value, int):
        return str(value)
    return "none" if value is None else f"{value:.6g}"
