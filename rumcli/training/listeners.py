"""What a run tells while it is under way, and to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rumcli.tasks.baseline import Baseline


@dataclass(frozen=True)
class RunInfo:
    """What is about to be run.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        parameters: Number of trainable weights.
        first_step: Steps done before; 0 unless resumed.
        steps: Steps that the whole run has.
        metric: Name of the task's metric.
        monitor: Name of the metric that is compared with `reference`: `"loss"` or `metric`.
        baseline: Its levels.
        steps_per_epoch: Steps in which all training data is seen once; None if not counted.
        folder: The run folder.
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
    """Hears of a run's progress, in the order of the methods; this one says nothing of it."""

    def started(self, plan: RunInfo) -> None:
        """Hear what will be run."""

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Hear of one training step done, with its loss and metric."""

    def evaluated(self, record: dict[str, Any]) -> None:
        """Hear of an evaluation: a line of `metrics.jsonl`."""

    def warned(self, message: str) -> None:
        """Hear of something that is wrong but does not stop the run."""

    def testing(self) -> None:
        """Hear that training is over and that the test split is evaluated."""

    def ended(self) -> None:
        """Hear that nothing more follows, however it ended."""


class CompositeListener(Listener):
    """Passes on to several others what it hears, in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def started(self, plan: RunInfo) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.started(plan)

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.stepped(step, logs)

    def evaluated(self, record: dict[str, Any]) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.evaluated(record)

    def warned(self, message: str) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.warned(message)

    def testing(self) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.testing()

    def ended(self) -> None:
        """Pass it on."""
        for listener in self._listeners:
            listener.ended()
