"""Sampling of example batches of similar length.

The cost of a batch is that of its longest example.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator, Philox

_STREAM = 2**32  # first random stream of the shuffling, disjoint from those of the examples


class BucketSampler:
    """Batches of example indices that cover the dataset epoch by epoch.

    Each epoch sorts the examples by length and shuffles the batches. A random remainder that does
    not fill a batch is dropped, a different one in each epoch.

    Args:
        lengths: Length of each example, `[N]`.
        batch_size: Batch size B. If N < B, examples are repeated.
        seed: Seed of the order.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int) -> None:
        repeats = -(-batch_size // len(lengths))
        self._numbers = np.tile(np.arange(len(lengths)), repeats)
        self._lengths = np.tile(lengths, repeats)
        self._batch_size = batch_size
        self._seed = seed
        self._order = lru_cache(maxsize=2)(self._make_order)

    @property
    def batches(self) -> int:
        """Number of batches per epoch."""
        return len(self._numbers) // self._batch_size

    def batch(self, step: int) -> np.ndarray:
        """Return the example indices `[B]` of a training step, from 0."""
        return self._order(step // self.batches)[step % self.batches]

    def _make_order(self, number: int) -> np.ndarray:
        random = Generator(Philox(key=[self._seed, _STREAM + number]))
        chosen = random.permutation(len(self._numbers))[: self.batches * self._batch_size]
        chosen = chosen[np.argsort(self._lengths[chosen], kind="stable")]
        batches = chosen.reshape(self.batches, self._batch_size)
        return self._numbers[batches[random.permutation(self.batches)]]
