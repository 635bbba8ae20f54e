"""Random numbers by example number: any example can be made without those before it.

The same (seed, stream, index) gives the same numbers on every machine, whatever the batch size.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Philox  # NumPy else loads it at its first use, and a Ctrl-C then is lost

_WORDS_PER_TICK = 4  # of 64 bits; what Philox-4x64 makes of one value of its counter


def words(seed: int, stream: int, start: int, count: int, length: int) -> np.ndarray:
    """Return random 64-bit words for consecutive examples.

    Args:
        seed: At least 0, less than 2⁶⁴.
        stream: Number of an independent stream, at least 0, less than 2⁶⁴.
        start: Number of the first example, at least 0.
        count: Number of examples, n.
        length: Number of words for each example, m.

    Returns:
        `[n, m]` uint64. Source of the generator: Salmon et al. 2011, Philox.
    """
    ticks = -(-length // _WORDS_PER_TICK)
    generator = Philox(key=[seed, stream], counter=start * ticks)
    raw = generator.random_raw(count * ticks * _WORDS_PER_TICK)
    return raw.reshape(count, ticks * _WORDS_PER_TICK)[:, :length]


def below(words: np.ndarray, bound: int) -> np.ndarray:
    """Turn random words into integers in `[0, bound)`; the bias is below `bound`/2⁶⁴."""
    return (words % np.uint64(bound)).astype(np.int32)
