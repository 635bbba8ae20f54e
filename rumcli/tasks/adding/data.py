"""Adding examples: numbers, two of which are marked; their sum is the target.

Source: Hochreiter and Schmidhuber 1997, in the form of Arjovsky et al., arXiv:1511.06464, section
5.2: one number is marked in the first half of the sequence and one in the second. The numbers are
multiples of 2⁻²⁰, so that a checksum assigns each sequence to one split.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import splits
from rumcli.tasks.adding.config import AddingConfig

RESOLUTION = 2**20


def examples(
    task: AddingConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Inputs `[n, T, 2]`, each a number in [0, 1) and a marker 0 or 1, and sums `[n, 1]` in
        [0, 2), float32 each.
    """
    length, rows = task.length, np.arange(count)
    words = splits.random_words(seed, split, start, count, length + 3)
    numbers = splits.random_below(words[:, :length], RESOLUTION)
    numbers = splits.assign_to_split(numbers, words[:, length], RESOLUTION, split) / RESOLUTION
    half = length // 2
    first = splits.random_below(words[:, length + 1], half)
    second = half + splits.random_below(words[:, length + 2], length - half)
    inputs = np.zeros((count, length, 2), dtype=np.float32)
    inputs[..., 0] = numbers
    inputs[rows, first, 1] = inputs[rows, second, 1] = 1.0
    sums = inputs[rows, first, :1] + inputs[rows, second, :1]
    return inputs, sums
