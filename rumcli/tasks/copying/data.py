"""Copying memory examples: ten symbols, a delay, a marker, then the same ten symbols.

Source of the task: Hochreiter and Schmidhuber 1997; in this form arXiv:1511.06464, section 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rumcli.data import splits
from rumcli.tasks.copying.config import CopyingConfig

SYMBOLS = 10
ALPHABET = 8
BLANK = 0
MARKER = 9
INPUT_CLASSES = 10
OUTPUT_CLASSES = 9


@dataclass(frozen=True)
class CopyingBatch:
    """Copying examples: `inputs [n, T + 20]` in 0–9, `targets [n, T + 20]` in 0–8, both int32."""

    inputs: np.ndarray
    targets: np.ndarray


def examples(seed: int, split: str, start: int, count: int, delay: int) -> CopyingBatch:
    """Generate consecutive examples.

    Inputs: ten symbols in 1–8, T − 1 blanks, the marker 9, ten blanks. Targets: T + 10 blanks,
    then the ten symbols.

    Args:
        seed: Seed, at least 0.
        split: `"train"`, `"validation"` or `"test"`.
        start: Index of the first example.
        count: Number of examples, n.
        delay: Delay T ≥ 1, in time steps.

    Returns:
        A batch of n examples.
    """
    words = splits.random_words(seed, splits.stream_of(split), start, count, SYMBOLS + 1)
    symbols = splits.random_below(words[:, :SYMBOLS], ALPHABET)
    symbols = splits.complete(symbols, words[:, SYMBOLS], ALPHABET, split) + 1
    inputs = np.full((count, delay + 2 * SYMBOLS), BLANK, dtype=np.int32)
    inputs[:, :SYMBOLS] = symbols
    inputs[:, delay + SYMBOLS - 1] = MARKER
    targets = np.full_like(inputs, BLANK)
    targets[:, -SYMBOLS:] = symbols
    return CopyingBatch(inputs, targets)


def arrays(
    task: CopyingConfig, seed: int, split: str, start: int, count: int
) -> dict[str, np.ndarray]:
    """Return consecutive examples as arrays by name, for `rum gen-data`."""
    return vars(examples(seed, split, start, count, task.delay))


def split_of(batch: CopyingBatch) -> list[str]:
    """Return the split of each example."""
    return splits.split_of(batch.inputs[:, :SYMBOLS] - 1, ALPHABET)
