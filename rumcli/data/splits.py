"""Splits that can't overlap, without remembering any example: a checksum decides.

Every possible example belongs to one class, by a checksum of its symbols, and every split owns
some of the classes. The last free symbol of an example is chosen so that its class fits.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import counter_rng

SPLITS = ("train", "validation", "test")
# The words by which the name of a file states its split; messages recommend the first.
WORDS = {
    "train": ("train",),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}


def stream_of(split: str) -> int:
    """Return the number of a split's stream of random numbers.

    Raises:
        ValueError: If there is no such split.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; splits: {', '.join(SPLITS)}")
    return SPLITS.index(split)


def complete(symbols: np.ndarray, spare: np.ndarray, base: int, split: str) -> np.ndarray:
    """Replace the last symbol of each row so that the row belongs to `split`.

    Two classes of `base` are kept for validation and test, one each; training has the others, so
    that no symbol's frequency differs between splits.

    Args:
        symbols: `[n, m]` integers in `[0, base)`, m ≥ 2.
        spare: `[n]` random words, which choose among the classes of the split.
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
    """Tell to which split each row `[n, m]` of symbols belongs."""
    classes = (symbols[:, -1] - _checksum(symbols[:, :-1], base)) % base
    owners = ("validation", "test", "train")
    return [owners[min(int(number), 2)] for number in classes]


def _checksum(symbols: np.ndarray, base: int) -> np.ndarray:
    # Positions count, so that two symbols that change places change the class. A checksum that a
    # network might learn is one of all symbols: it would have solved the task already.
    weights = np.arange(1, symbols.shape[1] + 1, dtype=np.int64)
    return (symbols * weights).sum(axis=1) % base
