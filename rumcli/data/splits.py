"""Assignment of examples to splits, counter-based random numbers, and the overlap of splits.

Examples are pure functions of (seed, split, index).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from numpy.random import Philox  # imported eagerly: a Ctrl-C during NumPy's lazy import is lost

_WORDS_PER_TICK = 4  # 64-bit words that Philox-4x64 generates per counter value

SplitName = Literal["train", "validation", "test"]
SPLITS: tuple[str, ...] = get_args(SplitName)
# Words that identify the split in a file name; messages suggest the first one.
WORDS = {
    "train": ("train",),
    "validation": ("valid", "validation", "val", "dev"),
    "test": ("test",),
}

PASSAGE = 64  # bytes; a power of two
_OVERLAP_CHUNK = 2**20


def random_words(seed: int, split: str, start: int, count: int, length: int) -> np.ndarray:
    """Return random 64-bit words for consecutive examples of a split.

    Args:
        seed: Seed in [0, 2⁶⁴).
        split: `"train"`, `"validation"` or `"test"`; each has an independent stream.
        start: Index of the first example, at least 0.
        count: Number of examples, n.
        length: Number of words per example, m.

    Returns:
        `[n, m]` uint64.

    Source of the generator: Salmon et al. 2011, Philox.
    """
    ticks = -(-length // _WORDS_PER_TICK)
    generator = Philox(key=[seed, stream_of(split)], counter=start * ticks)
    raw = generator.random_raw(count * ticks * _WORDS_PER_TICK)
    return raw.reshape(count, ticks * _WORDS_PER_TICK)[:, :length]


def random_below(words: np.ndarray, bound: int) -> np.ndarray:
    """Map random words to integers in `[0, bound)`, int32; the bias is below `bound`/2⁶⁴."""
    return (words % np.uint64(bound)).astype(np.int32)


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


def checksum_digits(base: int) -> int:
    """Return the number of last symbols that together have at least eight values.

    Training then owns at least three quarters of the classes.
    """
    return next(digits for digits in range(1, 4) if base**digits >= 8)


def assign_to_split(
    symbols: np.ndarray, spare: np.ndarray, base: int, split: str, digits: int = 1
) -> np.ndarray:
    """Replace the last symbols of each row so that the row belongs to `split`.

    The last symbols, read as one number, have `base**digits` values. Validation and test own one of
    as many classes each, and training owns the others. Symbol frequencies are therefore the same
    in all splits.

    Args:
        symbols: `[n, m]` integers in `[0, base)`, m ≥ 2.
        spare: `[n]` random words that select among the split's classes.
        base: Number of different symbols, at least 2.
        split: `"train"`, `"validation"` or `"test"`.
        digits: Number of last symbols to replace; `base**digits` is at least 3.

    Returns:
        `[n, m]`, with the last columns replaced.
    """
    values = base**digits
    if split == "train":
        classes = random_below(spare, values - 2) + 2
    else:
        classes = np.full(len(symbols), stream_of(split) - 1, dtype=symbols.dtype)
    assigned = symbols.copy()
    last = (classes + _checksum(symbols[:, :-digits], values)) % values
    for digit in range(1, digits + 1):
        assigned[:, -digit] = last % base
        last = last // base
    return assigned


def split_of(symbols: np.ndarray, base: int, digits: int = 1) -> list[str]:
    """Return the split of each row of symbols `[n, m]`: a list of n names."""
    values = base**digits
    last = symbols[:, -digits:].astype(np.int64) @ base ** np.arange(digits - 1, -1, -1)
    classes = (last - _checksum(symbols[:, :-digits], values)) % values
    owners = ("validation", "test", "train")
    return [owners[min(int(number), 2)] for number in classes]


def _checksum(symbols: np.ndarray, base: int) -> np.ndarray:
    # Positions are weighted, so that swapping two symbols changes the class. The checksum depends
    # on all symbols: a network that computes it has already solved the task.
    weights = np.arange(1, symbols.shape[1] + 1, dtype=np.int64)
    return (symbols * weights).sum(axis=1) % base


# Odd, so that the multiplication loses no bit; one factor for each doubling of the length.
_FACTORS = tuple(
    np.uint64(0x9E3779B97F4A7C15 + 2 * number) for number in range(PASSAGE.bit_length() - 1)
)


def shared_passages(text: np.ndarray, other: np.ndarray) -> float | None:
    """Return the fraction of a text's consecutive passages that occur in another text.

    Passages are compared by a 64-bit hash.

    Args:
        text: Bytes of the text, `[N]` uint8.
        other: Bytes of the other text, `[M]` uint8. A passage may occur at any offset.

    Returns:
        A fraction in [0, 1]; None if the text is shorter than a passage.
    """
    count = len(text) // PASSAGE
    if count == 0:
        return None
    hashes = np.concatenate([part[::PASSAGE] for part in _hashes(text[: count * PASSAGE])])
    distinct, inverse = np.unique(hashes, return_inverse=True)
    is_shared = np.zeros(len(distinct), dtype=bool)
    for part in _hashes(other):
        indices = np.searchsorted(distinct, part)
        indices[indices == len(distinct)] = 0
        is_shared[indices[distinct[indices] == part]] = True
    return float(is_shared[inverse].mean())


def _hashes(text: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the hashes `[n]` of the passages at every offset, in chunks of whole passages."""
    for start in range(0, len(text) - PASSAGE + 1, _OVERLAP_CHUNK):
        part = text[start : start + _OVERLAP_CHUNK + PASSAGE - 1].astype(np.uint64)
        length = 1
        for factor in _FACTORS:
            # Relies on the wraparound of NumPy's unsigned integer arrays.
            part = part[:-length] * factor + part[length:]
            part ^= part >> np.uint64(29)
            length *= 2
        yield part
