"""Adding task: mean squared error of a sum."""

from __future__ import annotations

from typing import Any, cast

import keras
from keras import ops

from rumcli.models.builders import compile_model, regressor
from rumcli.tasks.adding.config import AddingConfig
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import GeneratedTask

TOLERANCE = 0.04  # error of a correct sum: Hochreiter and Schmidhuber 1997


class Adding(GeneratedTask):
    """Adding. The loss is the mean squared error; a sum counts as correct within 0.04."""

    metric = "accuracy"
    monitor = "loss"

    @property
    def baseline(self) -> Baseline:
        """Loss of always predicting the mean, 1: the variance of the sum, 1/6."""
        return Baseline("constant", value=1 / 6, target=0.0)

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return the numbers, with an arrow before the marked ones."""
        return [f"{'→' if marker else ''}{number:.2f}" for number, marker in inputs[row]]

    def model(self) -> keras.Model:
        """Build the compiled model, from `[B, T, 2]` to `[B, 1]`."""
        model = regressor(self.config, length=self._task.length, features=2)
        metric = keras.metrics.MeanMetricWrapper(_is_correct, name=self.metric)
        compile_model(model, self.config, [metric], loss=keras.losses.MeanSquaredError())
        return model

    @property
    def _task(self) -> AddingConfig:
        return cast(AddingConfig, self.config.task)


def _is_correct(sums: Any, outputs: Any) -> Any:
    """Return 1 for each sum within the tolerance, else 0: `[B, 1]`."""
    return ops.cast(ops.abs(outputs - ops.cast(sums, outputs.dtype)) < TOLERANCE, "float32")
