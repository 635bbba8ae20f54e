"""Examples of multi-query associative recall (MQAR).

The input begins with the pairs of a key and its value. In the rest, each key occurs once more, as a
query with its value as the target; random symbols fill the other places and have no target.

Source: Arora et al., arXiv:2312.04927, section 3 and appendix E. As there, a query is at an even
distance behind the pairs, and near distances are more frequent, by a power law. Targets are
numbered among the values, where the source has the whole vocabulary as its classes.
"""

from __future__ import annotations

import numpy as np

from rumcli.data import splits
from rumcli.tasks.mqar.config import MQARConfig

NO_TARGET = -1
_POWER = 0.01  # a in the density of the distances x, proportional to x^(a − 1)


def examples(
    task: MQARConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Symbols `[n, T]` and targets `[n, T]`, int32 each. A target is the number of a value, or −1
        where there is none.
    """
    half, pairs, length = task.vocabulary // 2, task.pairs, task.length
    slots = (length - 2 * pairs) // 2
    number = length + slots + half + pairs + 1
    words = splits.random_words(seed, split, start, count, number)
    fill, places, chosen, spare = np.split(words, [length, length + slots, -1], axis=1)
    keys = np.argsort(chosen[:, :half], axis=1, kind="stable")[:, :pairs]
    values = splits.random_below(chosen[:, half : half + pairs], half)
    values = splits.assign_to_split(values, spare[:, 0], half, split)
    inputs = splits.random_below(fill, task.vocabulary)
    inputs[:, 0 : 2 * pairs : 2] = keys
    inputs[:, 1 : 2 * pairs : 2] = values + half
    queries = 2 * pairs + 2 * _weighted_choice(places, pairs)
    targets = np.full_like(inputs, NO_TARGET)
    np.put_along_axis(inputs, queries, keys.astype(inputs.dtype), axis=1)
    np.put_along_axis(targets, queries, values, axis=1)
    return inputs, targets


def _weighted_choice(words: np.ndarray, count: int) -> np.ndarray:
    """Return distinct slots `[n, count]` from random words `[n, slots]`, by the power law.

    The slots with the earliest of exponential times, with their weights as rates, are a weighted
    choice without replacement.
    """
    weights = np.arange(1, words.shape[1] + 1) ** (_POWER - 1)
    uniform = (words.astype(np.float64) + 1) / 2**64
    return np.argsort(-np.log(uniform) / weights, axis=1, kind="stable")[:, :count]
