"""Moving averages of a run's metrics, and its throughput."""

from __future__ import annotations

import time
from collections import deque

_STEPS = 20


class Throughput:
    """Moving averages over the last steps, and steps per second.

    Args:
        first_step: Number of steps done before.
        last_step: Number of steps of the whole run.
    """

    def __init__(self, first_step: int, last_step: int) -> None:
        self._last_step = last_step
        self._logs: deque[dict[str, float]] = deque(maxlen=_STEPS)
        self._times: deque[float] = deque(maxlen=_STEPS + 1)
        self.step = first_step

    def add(self, step: int, logs: dict[str, float]) -> None:
        """Record one step."""
        self.step = step
        self._logs.append(logs)
        self._times.append(time.monotonic())

    def pause(self) -> None:
        """Exclude the time until the next step from the throughput."""
        self._times.clear()

    def mean(self, name: str) -> float:
        """Return the mean of a metric over the last steps."""
        return sum(log[name] for log in self._logs) / len(self._logs)

    @property
    def steps_per_second(self) -> float | None:
        """Steps per second; None until two steps are done."""
        if len(self._times) < 2 or self._times[-1] == self._times[0]:
            return None
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    @property
    def seconds_left(self) -> float | None:
        """Estimated time for the remaining steps, in seconds; None until two steps are done."""
        pace = self.steps_per_second
        return (self._last_step - self.step) / pace if pace else None
