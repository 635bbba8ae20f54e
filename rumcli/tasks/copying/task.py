"""Copying memory task: cross-entropy at every step, accuracy on the ten recalled symbols."""

from __future__ import annotations

import math
from typing import Any, cast

import keras
from keras import ops

from rumcli.models.builders import classifier, compile_model
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.copying import data as copying_data
from rumcli.tasks.copying.config import CopyingConfig
from rumcli.tasks.example_task import GeneratedTask


class Copying(GeneratedTask):
    """Copying memory. The loss is the mean cross-entropy over all T + 20 steps, in nats."""

    metric = "symbol_accuracy"
    monitor = "loss"
    scored = slice(-copying_data.SYMBOLS, None)

    @property
    def baseline(self) -> Baseline:
        """Loss of a memoryless model, which guesses the ten symbols: 10 ln 8/(T + 20)."""
        memoryless = copying_data.SYMBOLS * math.log(copying_data.ALPHABET) / self._length
        return Baseline("memoryless", value=memoryless, target=0.0)

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return digits for symbols, a dot for a blank, and an arrow for the marker."""
        others = {copying_data.BLANK: "·", copying_data.MARKER: "→"}
        return [others.get(int(symbol), str(symbol)) for symbol in inputs[row]]

    def model(self) -> keras.Model:
        """Build the compiled model, from `[B, T + 20]` to logits `[B, T + 20, 9]`."""
        model = classifier(
            self.config,
            length=self._length,
            input_classes=copying_data.INPUT_CLASSES,
            output_classes=copying_data.OUTPUT_CLASSES,
            every_step=True,
        )
        metric = keras.metrics.MeanMetricWrapper(_recalled, name=self.metric)
        compile_model(model, self.config, [metric])
        return model

    @property
    def _task(self) -> CopyingConfig:
        return cast(CopyingConfig, self.config.task)

    @property
    def _length(self) -> int:
        return self._task.delay + 2 * copying_data.SYMBOLS


def _recalled(targets: Any, logits: Any) -> Any:
    """Return 1 for each correctly recalled symbol, else 0: `[B, 10]`."""
    last = slice(-copying_data.SYMBOLS, None)
    answers = ops.argmax(logits[:, last], axis=-1)
    return ops.cast(ops.equal(ops.cast(targets[:, last], answers.dtype), answers), "float32")
