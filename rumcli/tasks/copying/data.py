"""Copying memory examples: ten symbols, a delay, a marker, then the same ten symbols.

Source of the task: Hochreiter and Schmidhuber 1997; in this form arXiv:1511.06464, section 5.1.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import splits
from rumcli.tasks.copying.config import CopyingConfig

SYMBOLS = 10
ALPHABET = 8
BLANK = 0
MARKER = 9
INPUT_CLASSES = 10
OUTPUT_CLASSES = 9


def examples(
    task: CopyingConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples.

    Inputs: ten symbols in 1–8, T − 1 blanks, the marker 9, ten blanks. Targets: T + 10 blanks,
    then the ten symbols.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Inputs `[n, T + 20]` in 0–9 and targets `[n, T + 20]` in 0–8, int32 each.
    """
    delay = task.delay
    words = splits.random_words(seed, split, start, count, SYMBOLS + 1)
    symbols = splits.random_below(words[:, :SYMBOLS], ALPHABET)
    symbols = splits.assign_to_split(symbols, words[:, SYMBOLS], ALPHABET, split) + 1
    inputs = np.full((count, delay + 2 * SYMBOLS), BLANK, dtype=np.int32)
    inputs[:, :SYMBOLS] = symbols
    inputs[:, delay + SYMBOLS - 1] = MARKER
    targets = np.full_like(inputs, BLANK)
    targets[:, -SYMBOLS:] = symbols
    return inputs, targets
