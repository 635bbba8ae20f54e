"""Disjoint splits by checksum, without storing any example.

The checksum of its symbols assigns every possible example to a class, and each split owns some of
the classes. The last free symbol of an example is chosen to give the class required.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from rumcli.data import counter_rng

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(SplitName)
# Words that identify the split in a file name; messages suggest the first one.
WORDS = {
    "train": ("train",),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}


def stream_of(split: str) -> int:
    """Return the index of a split's random stream.

    Args:
        split: `"train"`, `"validation"` or `"test"`.

    Raises:
        ValueError: If there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; splits: {', '.join(SPLITS)}")
    return SPLITS.index(split)


def complete(symbols: np.ndarray, spare: np.ndarray, base: int, split: str) -> np.ndarray:
    """Replace the last symbol of each row so that the row belongs to `split`.

    Validation and test own one of the `base` classes each, and training owns the others. Symbol
    frequencies are therefore the same in all splits.

    Args:
        symbols: `[n, m]` integers in `[0, base)`, m ≥ 2.
        spare: `[n]` random words that select among the split's classes.
        base: Number of different symbols, at least 3.
        split: `"train"`, `"validation"` or `"test"`.

    Returns:
        `[n, m]`, with the last column replaced.
    """
    if split == "train":
        classes = counter_rng.below(spare, base - 2) + 2
    else:
        classes = np.full(len(symbols), stream_of(split) - 1, dtype=symbols.dtype)
    completed = symbols.copy()
    completed[:, -1] = (classes + _checksum(symbols[:, :-1], base)) % base
    return completed


def split_of(symbols: np.ndarray, base: int) -> list[str]:
    """Return the split of each row of symbols `[n, m]`: a list of n names."""
    classes = (symbols[:, -1] - _checksum(symbols[:, :-1], base)) % base
    owners = ("validation", "test", "train")
    return [owners[min(int(number), 2)] for number in classes]


def _checksum(symbols: np.ndarray, base: int) -> np.ndarray:
    # Positions are weighted, so that swapping two symbols changes the class. The checksum depends
    # on all symbols: a network that computes it has already solved the task.
    weights = np.arange(1, symbols.shape[1] + 1, dtype=np.int64)
    return (symbols * weights).sum(axis=1) % base
