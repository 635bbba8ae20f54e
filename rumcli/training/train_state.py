"""How far a run has come: what a checkpoint holds besides arrays."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rumcli.training.run_schemas import SavedProgress


@dataclass
class TrainState:
    """Counts steps and training time, and knows the best evaluation.

    Attributes:
        step: Steps done.
        seconds: Time spent, over all parts of a run that was resumed.
        best: Step and value of the best evaluation so far.
        skipped: Steps without effect, because loss or gradient was not finite.
        skipped_in_a_row: How many of them there were since the last good step.
        reached: Whether the last evaluation was what `train.until` asks for, so that no step
            follows.
        stopped_by: The path of the user's callback that stopped the run; None if none did.
        running_metrics: Where the means of a span stood when the run was stopped within it.
    """

    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] | None = None
    skipped: int = 0
    skipped_in_a_row: int = 0
    reached: bool = False
    stopped_by: str | None = None
    running_metrics: Mapping[str, np.ndarray] = field(default_factory=dict)
    _last: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Whether no step follows, whatever the number of steps."""
        return self.reached or self.stopped_by is not None

    def advance(self, now: float) -> None:
        """Count one step, which ended at `now` (seconds of a monotonic clock)."""
        self.step += 1
        self.seconds += now - self._last
        self._last = now

    def improves(self, value: float, higher_is_better: bool) -> bool:
        """Tell whether `value` is better than the best so far."""
        if self.best is None or not math.isfinite(self.best["value"]):
            return True
        best = self.best["value"]
        return value > best if higher_is_better else value < best

    def to_json(self) -> dict[str, Any]:
        """Return what a later process needs to go on."""
        return SavedProgress.model_validate(self, from_attributes=True).model_dump()
