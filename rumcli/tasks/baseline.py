"""Reference values of a metric: baseline, target and standard error.

The baseline of each task is the property `baseline` in the task's `task.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """Reference values of a metric.

    Args:
        label: Name of the baseline, such as "memoryless".
        value: Score of a simple strategy, usually one without memory.
        target: Score of a perfect model.
        published: Score that arXiv:1710.09537 reports for the same data. Defaults to None.
    """

    label: str
    value: float
    target: float
    published: float | None = None

    def fraction(self, value: float) -> float | None:
        """Return `value` on a scale from 0 (baseline) to 1 (target); negative below the baseline.

        Args:
            value: Value of the metric.

        Returns:
            (value − baseline) / (target − baseline). None if the baseline reaches the target, as
            when all answers are the same.
        """
        if self.target == self.value:
            return None
        return (value - self.value) / (self.target - self.value)

    def is_beaten(self, value: float) -> bool:
        """Return whether `value` is better than the baseline."""
        return (self.fraction(value) or 0) > 0


def standard_error(accuracy: float, count: int) -> float:
    """Return the binomial standard error of an accuracy, √(p(1 − p)/n).

    An accuracy over several time steps of each example has at most this standard error, because the
    steps of an example are not independent.

    Args:
        accuracy: Accuracy p, in [0, 1].
        count: Number n of independent examples.
    """
    return math.sqrt(max(0.0, accuracy * (1 - accuracy)) / count)
