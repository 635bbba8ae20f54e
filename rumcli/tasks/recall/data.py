"""Associative recall examples: key-value pairs, two blanks, a query key; the answer is its value.

Source of the task: Ba et al. 2016, arXiv:1610.06258, section 4.1, in the form of
arXiv:1710.09537, section 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rumcli.data import splits
from rumcli.tasks.recall.config import RecallConfig

BLANK = 0
VALUES = 10


@dataclass(frozen=True)
class RecallBatch:
    """Recall examples: `inputs [n, T + 3]` in 0–(T/2 + 10), `answers [n]` in 0–9, both int32."""

    inputs: np.ndarray
    answers: np.ndarray


def input_classes(delay: int) -> int:
    """Return the number of input symbols: the blank, T/2 keys and ten values."""
    return 1 + delay // 2 + VALUES


def examples(seed: int, split: str, start: int, count: int, delay: int) -> RecallBatch:
    """Generate consecutive examples.

    Inputs: the keys 1 … T/2, each once, in random order, each followed by its value,
    T/2 + 1 + (0 … 9); two blanks; the query key.

    Args:
        seed: Seed, at least 0.
        split: `"train"`, `"validation"` or `"test"`.
        start: Index of the first example.
        count: Number of examples, n.
        delay: Delay T ≥ 4, even, in time steps.

    Returns:
        A batch of n examples.
    """
    pairs = delay // 2
    words = splits.random_words(seed, splits.stream_of(split), start, count, delay + 2)
    keys = np.argsort(words[:, :pairs], axis=1, kind="stable").astype(np.int32)
    values = splits.random_below(words[:, pairs:delay], VALUES)
    values = splits.complete(values, words[:, delay], VALUES, split)
    query = splits.random_below(words[:, delay + 1], pairs)
    rows = np.arange(count)
    inputs = np.full((count, delay + 3), BLANK, dtype=np.int32)
    inputs[:, 0:delay:2] = keys + 1
    inputs[:, 1:delay:2] = values + pairs + 1
    inputs[:, -1] = keys[rows, query] + 1
    return RecallBatch(inputs, values[rows, query])


def arrays(
    task: RecallConfig, seed: int, split: str, start: int, count: int
) -> dict[str, np.ndarray]:
    """Return consecutive examples as arrays by name, for `rum gen-data`."""
    return vars(examples(seed, split, start, count, task.delay))


def split_of(batch: RecallBatch) -> list[str]:
    """Return the split of each example."""
    delay = batch.inputs.shape[1] - 3
    return splits.split_of(batch.inputs[:, 1:delay:2] - delay // 2 - 1, VALUES)
