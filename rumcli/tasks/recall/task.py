"""Associative recall task: one answer out of ten at the end of the sequence."""

from __future__ import annotations

from typing import Any, cast

import keras

from rumcli.models.builders import classifier, compile_model
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import GeneratedTask
from rumcli.tasks.recall import data as recall_data
from rumcli.tasks.recall.config import RecallConfig


class Recall(GeneratedTask):
    """Associative recall. The loss is the cross-entropy of the answer, in nats."""

    metric = "accuracy"
    monitor = "accuracy"

    @property
    def baseline(self) -> Baseline:
        """Accuracy at chance, 1/10, with target 1."""
        return Baseline("chance", value=1 / recall_data.VALUES, target=1.0)

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return keys as k1, k2 and so on, values as digits, and a dot for a blank."""
        keys = self._task.delay // 2

        def name(symbol: int) -> str:
            if symbol == recall_data.BLANK:
                return "·"
            return f"k{symbol}" if symbol <= keys else str(symbol - keys - 1)

        return [name(int(symbol)) for symbol in inputs[row]]

    def model(self) -> keras.Model:
        """Build the compiled model, from `[B, T + 3]` to logits `[B, 10]`."""
        model = classifier(
            self.config,
            length=self._task.delay + 3,
            input_classes=recall_data.input_classes(self._task.delay),
            output_classes=recall_data.VALUES,
            every_step=False,
        )
        metric = keras.metrics.SparseCategoricalAccuracy(name=self.metric)
        compile_model(model, self.config, [metric])
        return model

    @property
    def _task(self) -> RecallConfig:
        return cast(RecallConfig, self.config.task)
