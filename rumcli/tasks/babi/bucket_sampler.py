"""The order in which examples of different lengths are learned: like beside like.

A batch costs what its longest example costs.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator, Philox

_STREAM = 2**32  # of the random numbers, apart from those that examples are made of


class BucketSampler:
    """Batches of example numbers: all examples in random order, again and again.

    Within a pass examples are sorted by length, and the batches then shuffled. What does not fill a
    batch, other examples each time, is left out.

    Args:
        lengths: `[N]`, of each example.
        batch_size: B; if there are fewer examples, they are taken several times.
        seed: Of the order.
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
        """The number of batches of a pass."""
        return len(self._numbers) // self._batch_size

    def batch(self, step: int) -> np.ndarray:
        """Return the numbers `[B]` of the examples of a training step, from 0."""
        return self._order(step // self.batches)[step % self.batches]

    def _make_order(self, number: int) -> np.ndarray:
        random = Generator(Philox(key=[self._seed, _STREAM + number]))
        chosen = random.permutation(len(self._numbers))[: self.batches * self._batch_size]
        chosen = chosen[np.argsort(self._lengths[chosen], kind="stable")]
        batches = chosen.reshape(self.batches, self._batch_size)
        return self._numbers[batches[random.permutation(self.batches)]]
