"""Selective copying task: cross-entropy and accuracy of the symbols at the end."""

from __future__ import annotations

from typing import Any, cast

from rumcli.config import RunConfig
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import StepTask
from rumcli.tasks.selective_copying import data
from rumcli.tasks.selective_copying.config import SelectiveCopyingConfig


class SelectiveCopying(StepTask):
    """Selective copying. The loss is the mean cross-entropy per copied symbol, in nats."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self.input_classes = self._task.alphabet + 2
        self.output_classes = self._task.alphabet

    @property
    def baseline(self) -> Baseline:
        """Accuracy at chance: 1 / size of the alphabet."""
        return Baseline("chance", value=1 / self._task.alphabet, target=1.0)

    @property
    def length(self) -> int:
        """Number of time steps, T + K."""
        return self._task.length + self._task.symbols

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return numbers for symbols, a dot for a blank, and an arrow for the marker."""
        others = {data.BLANK: "·", self._task.alphabet + 1: "→"}
        return [others.get(int(symbol), str(symbol)) for symbol in inputs[row]]

    @property
    def _task(self) -> SelectiveCopyingConfig:
        return cast(SelectiveCopyingConfig, self.config.task)
