"""Events of a training run, and the listeners that receive them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rumcli.tasks.baseline import Baseline


@dataclass(frozen=True)
class RunInfo:
    """Description of a run at its start.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        parameters: Number of trainable weights.
        first_step: Number of steps done before; 0 unless resumed.
        steps: Total number of steps.
        metric: Name of the task's metric.
        monitor: Name of the metric that `baseline` refers to: `"loss"` or `metric`.
        baseline: Baseline of `monitor`.
        steps_per_epoch: Steps per epoch; None for a task without epochs.
        folder: Path of the run directory.
    """

    task: str
    cell: str
    parameters: int
    first_step: int
    steps: int
    metric: str
    monitor: str
    baseline: Baseline
    steps_per_epoch: int | None
    folder: str


class Listener:
    """Base class of listeners, whose methods are called in order and do nothing by default."""

    def started(self, plan: RunInfo) -> None:
        """Handle the start of the run."""

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Handle the end of a training step with a finite loss and gradient.

        Args:
            step: Number of steps done.
            logs: Loss and metrics of the step, by name.
        """

    def evaluated(self, record: dict[str, Any]) -> None:
        """Handle an evaluation, which is one record of `metrics.jsonl`."""

    def warned(self, message: str) -> None:
        """Handle a warning."""

    def testing(self) -> None:
        """Handle the end of training and the start of the test evaluation."""

    def finished(self, summary: dict[str, Any]) -> None:
        """Handle the summary of a finished run."""

    def ended(self) -> None:
        """Handle the end of the run, whether or not it succeeded."""


def _forward(event: str) -> Callable[..., None]:
    def forward(self: CompositeListener, *arguments: Any) -> None:
        """Forward the event."""
        for listener in self.listeners:
            getattr(listener, event)(*arguments)

    return forward


class CompositeListener(Listener):
    """Listener that forwards every event to several listeners.

    Args:
        *listeners: Listeners, in the order of the calls.
    """

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = listeners

    started = _forward("started")
    stepped = _forward("stepped")
    evaluated = _forward("evaluated")
    warned = _forward("warned")
    testing = _forward("testing")
    finished = _forward("finished")
    ended = _forward("ended")
