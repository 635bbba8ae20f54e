"""Tasks whose data are examples of their own each, and how examples become batches."""

from __future__ import annotations

import abc
import math

import numpy as np

from rumcli.config import Split
from rumcli.tasks.base import Task

Examples = tuple[np.ndarray, np.ndarray]


class ExampleTask(Task):
    """A task of numbered examples."""

    @abc.abstractmethod
    def examples(self, split: Split, start: int, count: int) -> Examples:
        """Make inputs and targets of consecutive examples of a split."""

    @abc.abstractmethod
    def examples_in(self, split: Split) -> int | None:
        """Return how many examples a split has; None: as many as are asked for."""

    def training_batch(self, step: int) -> Examples:
        """Make the batch of a training step: a pure function of seed and step.

        Args:
            step: Number of the step, from 0.
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
        """Make one batch of an evaluation split; every example is in one batch exactly."""
        size = self._evaluation_size(split)
        start = number * size
        return self.examples(split, start, min(size, self.num_samples(split) - start))

    def num_samples(self, split: Split) -> int:
        """Return the number of examples of an evaluation split."""
        return self.examples_in(split) or 0

    def _evaluation_size(self, split: Split) -> int:
        """Return the size of a split's batches, all the same if that does not make them small.

        A last batch of another size would be a program of its own to compile.
        """
        most, total = self.config.train.batch_size, self.num_samples(split)
        even = [size for size in range(most, most // 2, -1) if total % size == 0]
        return next((size for size in even if size % 2 == 0), even[0] if even else most)

    def _wrapped(self, start: int, size: int, total: int) -> Examples:
        """Make a batch that goes on at the first example after the last."""
        parts = []
        while size > 0:
            count = min(size, total - start)
            parts.append(self.examples(Split.TRAIN, start, count))
            size, start = size - count, 0
        inputs, targets = zip(*parts, strict=True)
        return np.concatenate(inputs), np.concatenate(targets)
