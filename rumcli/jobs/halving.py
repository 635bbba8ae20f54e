"""Early stopping of a search: asynchronous successive halving (ASHA), arXiv:1810.05934.

One rule for both executors. It learns the earlier validations from the run directories, so that a
resumed search decides as an uninterrupted one.
"""

from __future__ import annotations

import math


class Halving:
    """Compares runs at the steps `first`, `first * factor`, `first * factor**2`, ….

    Args:
        first: Number of steps before a run can be stopped.
        factor: At each of these steps one in so many runs continues.
        steps: Number of steps of a run; at the last one there is nothing to stop.
    """

    def __init__(self, first: int, factor: float, steps: int) -> None:
        # Rungs, the highest first: the step, and the best score of each run that came to it.
        self._rungs: list[tuple[float, dict[str, float]]] = []
        step = float(first)
        while step < steps:
            self._rungs.insert(0, (step, {}))
            step *= factor
        self._factor = factor
        self._best: dict[str, float] = {}

    def allows(self, name: str, step: int, score: float) -> bool:
        """Record a validation and return whether the run continues.

        Its best score counts, as in the results: a single one is noisy.

        Args:
            name: Name of the run.
            step: Number of training steps done.
            score: The monitored metric, of which less is better.
        """
        self._best[name] = best = min(score, self._best.get(name, math.inf))
        for rung, scores in self._rungs:
            if step < rung:
                continue
            if name in scores:  # decided before
                return True
            others = sorted(scores.values())
            scores[name] = best
            return not others or best <= _quantile(others, 1 / self._factor)
        return True


def _quantile(ordered: list[float], share: float) -> float:
    """Return the quantile of ordered numbers, interpolated as `numpy.quantile` does."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
