"""Counter-based random numbers: random access to any example, without generating earlier ones.

The same (seed, stream, index) gives the same numbers on every machine and for every batch size.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Philox  # imported eagerly: a Ctrl-C during NumPy's lazy import is lost

_WORDS_PER_TICK = 4  # 64-bit words that Philox-4x64 generates per counter value


def words(seed: int, stream: int, start: int, count: int, length: int) -> np.ndarray:
    """Return random 64-bit words for consecutive examples.

    Args:
        seed: Seed in [0, 2⁶⁴).
        stream: Index of an independent stream, in [0, 2⁶⁴).
        start: Index of the first example, at least 0.
        count: Number of examples, n.
        length: Number of words per example, m.

    Returns:
        `[n, m]` uint64.

    Source of the generator: Salmon et al. 2011, Philox.
    """
    ticks = -(-length // _WORDS_PER_TICK)
    generator = Philox(key=[seed, stream], counter=start * ticks)
    raw = generator.random_raw(count * ticks * _WORDS_PER_TICK)
    return raw.reshape(count, ticks * _WORDS_PER_TICK)[:, :length]


def below(words: np.ndarray, bound: int) -> np.ndarray:
    """Map random words to integers in `[0, bound)`, int32; the bias is below `bound`/2⁶⁴."""
    return (words % np.uint64(bound)).astype(np.int32)
