"""Associative recall examples: key-value pairs, two blanks, a query key; the answer is its value.

Source of the task: Ba et al. 2016, arXiv:1610.06258, section 4.1, in the form of
arXiv:1710.09537, section 4.2.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import splits
from rumcli.tasks.recall.config import RecallConfig

BLANK = 0
VALUES = 10


def input_classes(delay: int) -> int:
    """Return the number of input symbols: the blank, T/2 keys and ten values."""
    return 1 + delay // 2 + VALUES


def examples(
    task: RecallConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples.

    Inputs: the keys 1 … T/2, each once, in random order, each followed by its value,
    T/2 + 1 + (0 … 9); two blanks; the query key.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Inputs `[n, T + 3]` in 0–(T/2 + 10) and targets `[n]` in 0–9, int32 each.
    """
    delay, pairs = task.delay, task.delay // 2
    words = splits.random_words(seed, split, start, count, delay + 2)
    keys = np.argsort(words[:, :pairs], axis=1, kind="stable").astype(np.int32)
    values = splits.random_below(words[:, pairs:delay], VALUES)
    values = splits.assign_to_split(values, words[:, delay], VALUES, split)
    query = splits.random_below(words[:, delay + 1], pairs)
    rows = np.arange(count)
    inputs = np.full((count, delay + 3), BLANK, dtype=np.int32)
    inputs[:, 0:delay:2] = keys + 1
    inputs[:, 1:delay:2] = values + pairs + 1
    inputs[:, -1] = keys[rows, query] + 1
    return inputs, values[rows, query]
