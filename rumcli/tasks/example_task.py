"""Base classes of tasks with independent, numbered examples."""

from __future__ import annotations

import abc
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from rumcli.config import Split
from rumcli.models.builders import classifier, compile_model
from rumcli.tasks import registry
from rumcli.tasks.base import Task

Examples = tuple[np.ndarray, np.ndarray]


class ExampleTask(Task):
    """A task with independent, numbered examples."""

    @abc.abstractmethod
    def examples(self, split: Split, start: int, count: int) -> Examples:
        """Return inputs and targets of consecutive examples of a split.

        Args:
            split: Split of the examples.
            start: Index of the first example.
            count: Number of examples.
        """

    @abc.abstractmethod
    def examples_in(self, split: Split) -> int | None:
        """Return the number of examples of a split; None if unlimited."""

    def training_batch(self, step: int) -> Examples:
        """Return the batch of a training step: a pure function of seed and step.

        Args:
            step: Index of the step, from 0.
        """
        size = self.config.train.batch_size
        total = self.examples_in(Split.TRAIN)
        if total is None:
            return self.examples(Split.TRAIN, step * size, size)
        return self._wrapped(step * size % total, size, total)

    def num_batches(self, split: Split) -> int:
        """Return the number of batches of an evaluation split."""
        return math.ceil(self.num_samples(split) / self._evaluation_size(split))

    def evaluation_batch(self, split: Split, number: int) -> Examples:
        """Return one batch of an evaluation split; each example is in exactly one batch."""
        size = self._evaluation_size(split)
        start = number * size
        return self.examples(split, start, min(size, self.num_samples(split) - start))

    def num_samples(self, split: Split) -> int:
        """Return the number of examples of an evaluation split."""
        return self.examples_in(split) or 0

    def _evaluation_size(self, split: Split) -> int:
        """Return the batch size for evaluation: a divisor of the split's size where possible.

        A last batch of another size would compile a second program.
        """
        most, total = self.config.train.batch_size, self.num_samples(split)
        even = [size for size in range(most, most // 2, -1) if total % size == 0]
        return next((size for size in even if size % 2 == 0), even[0] if even else most)

    def _wrapped(self, start: int, size: int, total: int) -> Examples:
        """Return a batch that wraps around from the last example to the first."""
        parts = []
        while size > 0:
            count = min(size, total - start)
            parts.append(self.examples(Split.TRAIN, start, count))
            size, start = size - count, 0
        inputs, targets = zip(*parts, strict=True)
        return np.concatenate(inputs), np.concatenate(targets)


class GeneratedTask(ExampleTask):
    """A task that generates its examples; options of the task set their numbers."""

    @property
    def _task(self) -> Any:
        """Options of the task; a subclass whose configuration is another may build its own."""
        return self.config.task

    def examples(self, split: Split, start: int, count: int) -> Examples:
        """Return inputs and targets, as documented by the task's `data` module."""
        return registry.generate(self._task, self.config.seed, split, start, count)

    def examples_in(self, split: Split) -> int | None:
        """Return the number of examples; None for training that generates new ones each step."""
        return getattr(self._task, f"{split}_examples", None)


class StepTask(GeneratedTask):
    """A task of symbol sequences with a target class at all or some steps; −1 is no target.

    Every sequence has equally many targets.

    Attributes:
        input_classes: Number of input symbols.
        output_classes: Number of classes.
        embedding: Size of a symbol's vector; None for one-hot vectors.
    """

    metric = "accuracy"
    monitor = "accuracy"
    input_classes: int
    output_classes: int
    embedding: int | None = None

    @property
    @abc.abstractmethod
    def length(self) -> int:
        """Number of time steps, T."""

    def model(self) -> keras.Model:
        """Build the compiled model, from `[B, T]` to logits `[B, T, K]`."""
        model = classifier(
            self.config,
            length=self.length,
            input_classes=self.input_classes,
            output_classes=self.output_classes,
            every_step=True,
            embedding=self.embedding,
        )
        metric = keras.metrics.MeanMetricWrapper(_step_accuracy, name=self.metric)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        compile_model(model, self.config, [metric], loss=loss)
        return model


def _step_accuracy(targets: Any, logits: Any) -> Any:
    """Return the fraction of correct targets of each sequence: `[B]`."""
    answers = ops.argmax(logits, axis=-1)
    targets = ops.cast(targets, answers.dtype)
    correct = ops.cast(ops.equal(targets, answers), "float32")
    return ops.sum(correct, axis=-1) / ops.sum(ops.cast(targets >= 0, "float32"), axis=-1)
