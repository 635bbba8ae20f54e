"""What a figure means: the level of a model that has learned nothing, and that of one that has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Baseline:
    """Two levels of a metric, and perhaps a third.

    Args:
        label: What the baseline is called, as in "memoryless".
        value: The metric of a model that has learned nothing of what the task is about.
        target: The metric of a model that does the task without a mistake.
        published: What arXiv:1710.09537 reports for the same data, if it does.
    """

    label: str
    value: float
    target: float
    published: float | None = None

    def fraction(self, value: float) -> float | None:
        """Return how far `value` is from the baseline (0) to solved (1); negative: worse.

        None if the baseline solves the task already, as where all answers are the same.
        """
        if self.target == self.value:
            return None
        return (value - self.value) / (self.target - self.value)

    def is_beaten(self, value: float) -> bool:
        """Tell whether `value` is on the solved side of the baseline."""
        return (self.fraction(value) or 0) > 0
