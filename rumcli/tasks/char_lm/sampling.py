"""How a class is drawn from logits. NumPy only."""

from __future__ import annotations

import numpy as np


def draw(logits: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """Draw a class from the softmax of logits.

    Args:
        logits: `[V]`.
        temperature: What the logits are divided by, at least 0. At 1 a class comes as often as
            the model has it; at 0 it is always the likeliest, the first of several.
        generator: Of random numbers; one is used up unless the temperature is 0.
    """
    if temperature == 0:
        return int(np.argmax(logits))
    below = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore", under="ignore"):  # what is unlikely enough has no share
        shares = np.cumsum(np.exp(below / temperature))
    return int(np.searchsorted(shares, generator.random() * shares[-1], side="right"))


def surprise(logits: np.ndarray, drawn: int) -> float:
    """Return −log₂ of the share that the softmax of logits `[V]` gives to a class, in bits."""
    below = logits.astype(np.float64) - logits.max()
    return float((np.log(np.exp(below).sum()) - below[drawn]) / np.log(2))
