"""State-tracking task: cross-entropy and accuracy over all steps."""

from __future__ import annotations

from typing import Any, cast

from rumcli.config import RunConfig
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import StepTask
from rumcli.tasks.state_tracking import data
from rumcli.tasks.state_tracking.config import StateTrackingConfig


class StateTracking(StepTask):
    """State tracking. The loss is the mean cross-entropy over all steps, in nats."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._problem = data.problem_of(self._task)
        self.input_classes = len(self._problem.symbols)
        self.output_classes = self._problem.classes

    @property
    def baseline(self) -> Baseline:
        """Accuracy at chance: 1 / number of states."""
        return Baseline("chance", value=1 / self._problem.classes, target=1.0)

    @property
    def summary_fields(self) -> dict[str, Any]:
        """Name of the problem."""
        return {"problem": self._task.problem}

    @property
    def length(self) -> int:
        """Number of symbols, T."""
        return self._task.length

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return the symbols: permutations as the images of 0, 1, and so on."""
        return [self._problem.symbols[symbol] for symbol in inputs[row]]

    @property
    def _task(self) -> StateTrackingConfig:
        return cast(StateTrackingConfig, self.config.task)
