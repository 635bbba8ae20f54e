"""Progress of a training run, which checkpoints store besides the arrays."""

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
    """Step count, training time and best evaluation of a run.

    Attributes:
        step: Number of steps done.
        seconds: Training time, including the time before a resume.
        best: Step and value of the best evaluation so far.
        skipped: Number of steps skipped because the loss or gradient was not finite.
        skipped_in_a_row: Number of consecutive skipped steps up to now.
        reached: Whether the last evaluation met `train.until`, which stops the run.
        stopped_by: Path of the user-defined callback that stopped the run; None if none did.
        running_metrics: Running metrics of the span in which the run was stopped, by name.
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
        """Whether the run was stopped before its last step."""
        return self.reached or self.stopped_by is not None

    def advance(self, now: float) -> None:
        """Count a step that ended at `now`, in seconds of a monotonic clock."""
        self.step += 1
        self.seconds += now - self._last
        self._last = now

    def improves(self, value: float, higher_is_better: bool) -> bool:
        """Return whether `value` is better than the best so far."""
        if self.best is None or not math.isfinite(self.best["value"]):
            return True
        best = self.best["value"]
        return value > best if higher_is_better else value < best

    def to_json(self) -> dict[str, Any]:
        """Return the fields that a checkpoint stores."""
        return SavedProgress.model_validate(self, from_attributes=True).model_dump()
