"""Early stopping of a search: asynchronous successive halving (ASHA), arXiv:1810.05934.

Both executors use it. It reads earlier validations from the run directories, so that a resumed
search makes the same decisions as an uninterrupted one.
"""

from __future__ import annotations

import math


class Halving:
    """Early stopping that compares runs at steps `first`, `first * factor`, `first * factor**2`, ….

    Args:
        first: Number of steps before a run can be stopped.
        factor: Reduction factor: at each of these steps, one in `factor` runs continues.
        steps: Number of steps of a run; no run is stopped at the last one.
    """

    def __init__(self, first: int, factor: float, steps: int) -> None:
        # Rungs, the highest first: the step, and the best score of each run that reached it.
        self._rungs: list[tuple[float, dict[str, float]]] = []
        step = float(first)
        while step < steps:
            self._rungs.insert(0, (step, {}))
            step *= factor
        self._factor = factor
        self._best: dict[str, float] = {}

    def allows(self, name: str, step: int, score: float) -> bool:
        """Record a validation and return whether the run continues.

        Runs are compared by their best score, as in the results, because a single score is noisy.

        Args:
            name: Name of the run.
            step: Number of training steps done.
            score: Score of the monitored metric; lower is better.
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
    """Return a quantile of sorted numbers, interpolated linearly as in `numpy.quantile`."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
