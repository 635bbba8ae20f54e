"""Sampling of a class from logits, in NumPy only."""

from __future__ import annotations

import numpy as np


def draw(logits: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """Sample a class from the softmax of logits.

    Args:
        logits: Logits, `[V]`.
        temperature: Divisor of the logits, at least 0. 1 samples from the model's distribution;
            0 returns the most likely class, the first in a tie.
        generator: Random number generator; consumes one number unless the temperature is 0.

    Returns:
        The class, in [0, V).
    """
    if temperature == 0:
        return int(np.argmax(logits))
    below = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore", under="ignore"):  # negligible probabilities may become 0
        shares = np.cumsum(np.exp(below / temperature))
    return int(np.searchsorted(shares, generator.random() * shares[-1], side="right"))


def surprise(logits: np.ndarray, drawn: int) -> float:
    """Return −log₂ of the softmax probability of class `drawn`, in bits; `logits` is `[V]`."""
    below = logits.astype(np.float64) - logits.max()
    return float((np.log(np.exp(below).sum()) - below[drawn]) / np.log(2))
