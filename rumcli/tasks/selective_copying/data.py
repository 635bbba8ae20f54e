"""Selective copying examples: symbols at random places among blanks, then a marker for each.

Source: Gu and Dao, arXiv:2312.00752, section 4.1.1, and Jing et al., arXiv:1710.09537 for the plain
copying task that it varies. The source reads 16 symbols from an alphabet of 14 in 4,096 steps; the
default here is 256 steps, and `task.length` sets any number.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import splits
from rumcli.tasks.selective_copying.config import SelectiveCopyingConfig

BLANK = 0
NO_TARGET = -1


def examples(
    task: SelectiveCopyingConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples of K symbols from an alphabet of A.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Inputs `[n, T + K]` in 0–(A + 1): blanks are 0, symbols 1–A and the marker A + 1. Targets
        `[n, T + K]`: 0–(A − 1) at the markers, and −1 before. int32 each.
    """
    length, number = task.length, task.symbols
    words = splits.random_words(seed, split, start, count, length + number + 1)
    places = np.sort(np.argsort(words[:, :length], axis=1, kind="stable")[:, :number], axis=1)
    symbols = splits.random_below(words[:, length:-1], task.alphabet)
    symbols = splits.assign_to_split(symbols, words[:, -1], task.alphabet, split)
    inputs = np.full((count, length + number), BLANK, dtype=np.int32)
    np.put_along_axis(inputs, places, symbols + 1, axis=1)
    inputs[:, length:] = task.alphabet + 1
    targets = np.full_like(inputs, NO_TARGET)
    targets[:, length:] = symbols
    return inputs, targets
