"""Multi-query associative recall: cross-entropy and accuracy of the queried values."""

from __future__ import annotations

from typing import Any, cast

from rumcli.config import RunConfig
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import StepTask
from rumcli.tasks.mqar.config import MQARConfig


class MQAR(StepTask):
    """Multi-query associative recall. The loss is the mean cross-entropy per query, in nats."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.input_classes = self._task.vocabulary
        self.output_classes = self._task.vocabulary // 2
        self.embedding = self._task.embedding

    @property
    def baseline(self) -> Baseline:
        """Accuracy of guessing one of the values in the sequence, with target 1."""
        return Baseline("chance", value=1 / self._task.pairs, target=1.0)

    @property
    def length(self) -> int:
        """Number of symbols, T."""
        return self._task.length

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return keys as k0, k1 and so on, and values as v0, v1 and so on."""
        half = self._task.vocabulary // 2
        return [f"k{one}" if one < half else f"v{one - half}" for one in inputs[row]]

    @property
    def _task(self) -> MQARConfig:
        return cast(MQARConfig, self.config.task)
