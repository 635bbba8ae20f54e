"""The times of one subject, and of whole runs, with their statistics. No Keras."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rumcli.benchmark.cases import Case, Subject


class Sample(NamedTuple):
    """Consecutive training steps.

    Attributes:
        seconds: Wall time of all steps, until the last one has ended.
        loss: Their mean loss, or that of the last step.
    """

    seconds: float
    loss: float


@dataclass(frozen=True)
class Runner:
    """A model with its data, ready to be trained.

    Attributes:
        parameters: Number of trainable weights.
        run: Trains for a number of consecutive steps.
    """

    parameters: int
    run: Callable[[int], Sample]


@dataclass
class Timing:
    """The times of one subject at one size, in seconds per training step.

    Attributes:
        subject: The cell and how it computes.
        backend: Keras's backend that it was measured on.
        parameters: Number of trainable weights of the model.
        first_step: Seconds that the first step took, with tracing and compilation.
        samples: One for each round; fewer where the steps are slow and not compiled.
        peak_memory: Largest resident size of a process of its own, in bytes; None if not measured.
    """

    subject: Subject
    backend: str
    parameters: int
    first_step: float
    samples: list[float] = field(default_factory=list)
    peak_memory: int | None = None

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """The distance of the quartiles, relative to the median."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.median


def yardstick(case: Case, timings: list[Timing], backend: str) -> Timing:
    """Return the fastest on a backend of those that the others are compared with.

    Args:
        case: The size, which names the yardstick, such as Keras's GRU.
        timings: Those of all backends.
        backend: One of theirs.
    """
    named = [
        timing
        for timing in timings
        if timing.backend == backend
        and case.yardstick in (timing.subject.cell, timing.subject.label)
    ]
    return min(named, key=lambda timing: timing.median)


@dataclass
class Pace:
    """Seconds per step of runs, and of bare steps measured right before each.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        runs: One for each round.
        bare: One for each round.
    """

    task: str
    cell: str
    runs: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios, run to bare."""
        return statistics.median(run / bare for run, bare in zip(self.runs, self.bare, strict=True))
