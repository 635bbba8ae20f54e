"""Overlap of two texts, measured in passages of fixed length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PASSAGE = 64  # bytes; a power of two
_CHUNK = 2**20
# Odd, so that the multiplication loses no bit; one factor for each doubling of the length.
_FACTORS = tuple(
    np.uint64(0x9E3779B97F4A7C15 + 2 * number) for number in range(PASSAGE.bit_length() - 1)
)


def overlap(text: np.ndarray, other: np.ndarray) -> float | None:
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
    wanted, inverse = np.unique(hashes, return_inverse=True)
    found = np.zeros(len(wanted), dtype=bool)
    for part in _hashes(other):
        places = np.searchsorted(wanted, part)
        places[places == len(wanted)] = 0
        found[places[wanted[places] == part]] = True
    return float(found[inverse].mean())


def _hashes(text: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the hashes `[n]` of the passages at every offset, in chunks of whole passages."""
    for start in range(0, len(text) - PASSAGE + 1, _CHUNK):
        part = text[start : start + _CHUNK + PASSAGE - 1].astype(np.uint64)
        length = 1
        for factor in _FACTORS:
            # Relies on the wraparound of NumPy's unsigned integer arrays.
            part = part[:-length] * factor + part[length:]
            part ^= part >> np.uint64(29)
            length *= 2
        yield part
