"""The interface of a task, and how its examples become batches.

No files and no printing; examples come from `rumcli.data`.
"""

from __future__ import annotations

import abc
import math
from typing import ClassVar

import keras
import numpy as np

from rumcli.config import RunConfig, Split
from rumcli.tasks.reference import Reference

Batch = tuple[np.ndarray, np.ndarray]


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
        """Return the number of batches of an evaluation split."""
        return math.ceil((self.examples_in(split) or 0) / self._evaluation_size(split))

    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Make one batch of an evaluation split; every example is in one batch exactly."""
        size = self._evaluation_size(split)
        start = number * size
        return self.examples(split, start, min(size, (self.examples_in(split) or 0) - start))

    def _evaluation_size(self, split: Split) -> int:
        """Return the size of a split's batches, all the same if that does not make them small.

        A last batch of another size would be a program of its own to compile.
        """
        most, total = self.config.train.batch_size, self.examples_in(split) or 0
        even = [size for size in range(most, most // 2, -1) if total % size == 0]
        return next((size for size in even if size % 2 == 0), even[0] if even else most)

    def _wrapped(self, start: int, size: int, total: int) -> Batch:
        """Make a batch that goes on at the first example after the last."""
        parts = []
        while size > 0:
            count = min(size, total - start)
            parts.append(self.examples(Split.TRAIN, start, count))
            size, start = size - count, 0
        inputs, targets = zip(*parts, strict=True)
        return np.concatenate(inputs), np.concatenate(targets)
