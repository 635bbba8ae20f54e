"""The interface of a task, and what all tasks share: the cell, the head, the optimiser.

No files and no printing; examples come from `rumcli.data`.
"""

from __future__ import annotations

import abc
import math
from typing import Any, ClassVar

import keras
import numpy as np

from rumcli import cells
from rumcli.config import RunConfig, Split
from rumcli.tasks.reference import Reference

Batch = tuple[np.ndarray, np.ndarray]

_BIAS_START = 0.01  # of the output layer, as in the original implementation


class Task(abc.ABC):
    """A task of one run.

    Attributes:
        config: The run's configuration.
        metric: Name of the metric that a person understands, as in logs.
        monitor: Name of the metric that chooses the best checkpoint: `"loss"` or `metric`.
        reference: Levels of the monitored metric.
    """

    metric: ClassVar[str]
    monitor: ClassVar[str]

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    @property
    @abc.abstractmethod
    def reference(self) -> Reference:
        """The levels of `monitor` that mean "learnt nothing" and "solved"."""

    @abc.abstractmethod
    def examples(self, split: Split, start: int, count: int) -> Batch:
        """Make inputs and targets of consecutive examples of a split."""

    @abc.abstractmethod
    def model(self) -> keras.Model:
        """Make the compiled model, with weights drawn anew."""

    @abc.abstractmethod
    def examples_in(self, split: Split) -> int | None:
        """Return how many examples a split has; None: as many as are asked for."""

    @property
    def higher_is_better(self) -> bool:
        """Whether the monitored metric grows as the model learns."""
        return self.reference.solved > self.reference.baseline

    def training_batch(self, step: int) -> Batch:
        """Make the batch of a training step: a pure function of seed and step.

        Args:
            step: Number of the step, from 0.
        """
        size = self.config.train.batch_size
        total = self.examples_in(Split.TRAIN)
        if total is None:
            return self.examples(Split.TRAIN, step * size, size)
        return self._wrapped(step * size % total, size, total)

    def batches_in(self, split: Split) -> int:
        """Return the number of batches of an evaluation split; the last may be smaller."""
        return math.ceil((self.examples_in(split) or 0) / self.config.train.batch_size)

    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Make one batch of an evaluation split; every example is in one batch exactly."""
        size = self.config.train.batch_size
        start = number * size
        return self.examples(split, start, min(size, (self.examples_in(split) or 0) - start))

    def _wrapped(self, start: int, size: int, total: int) -> Batch:
        """Make a batch that goes on at the first example after the last."""
        parts = []
        while size > 0:
            count = min(size, total - start)
            parts.append(self.examples(Split.TRAIN, start, count))
            size, start = size - count, 0
        inputs, targets = zip(*parts, strict=True)
        return np.concatenate(inputs), np.concatenate(targets)


def make(config: RunConfig) -> Task:
    """Make the task that `config.task.name` names."""
    from rumcli.tasks.copying import Copying
    from rumcli.tasks.recall import Recall

    return {"copying": Copying, "recall": Recall}[config.task.name](config)


def recurrent(config: RunConfig, return_sequences: bool) -> keras.layers.Layer:
    """Make the run's cell as a layer."""
    options: dict[str, Any] = config.cell.model_dump()
    name, units = options.pop("name"), options.pop("units")
    return cells.make(name, units, **options, return_sequences=return_sequences, name="cell")


def classifier(
    config: RunConfig, length: int, input_classes: int, output_classes: int, every_step: bool
) -> keras.Model:
    """Make a model from symbols to classes: one-hot, the cell, dropout, one linear layer.

    Args:
        config: The run's configuration.
        length: Number of time steps, T.
        input_classes: Number of different symbols, C.
        output_classes: Number of classes, K.
        every_step: Whether there is an answer at every step, or at the last.

    Returns:
        A model from `[B, T]` integers to logits `[B, T, K]`, or `[B, K]`.
    """
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32", name="symbols"),
            keras.layers.CategoryEncoding(input_classes, output_mode="one_hot", name="one_hot"),
            recurrent(config, return_sequences=every_step),
            keras.layers.Dropout(config.model.dropout, name="dropout"),
            keras.layers.Dense(
                output_classes,
                kernel_initializer="glorot_uniform",
                bias_initializer=keras.initializers.Constant(_BIAS_START),
                # Softmax and its logarithm in half precision would round the loss away.
                dtype=keras.config.dtype_policy().variable_dtype,
                name="logits",
            ),
        ],
        name=config.task.name,
    )


def compile_model(model: keras.Model, config: RunConfig, metric: keras.metrics.Metric) -> None:
    """Give the model its optimiser, its loss and its metric."""
    options = config.optimizer.model_dump()
    clip_norm = options.pop("clip_norm")
    optimizers = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}
    optimizer = optimizers[options.pop("name")](**options, global_clipnorm=clip_norm)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])
