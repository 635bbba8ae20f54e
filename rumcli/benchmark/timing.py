"""Timings of subjects and of whole runs. This module does not import Keras."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rumcli.benchmark.cases import Case, Subject


class Sample(NamedTuple):
    """Measurement of consecutive training steps.

    Attributes:
        seconds: Total wall time, until the last step has finished.
        loss: Mean loss of the steps, or loss of the last step.
    """

    seconds: float
    loss: float


@dataclass(frozen=True)
class Runner:
    """A model with its training data.

    Attributes:
        parameters: Number of parameters.
        run: Function that trains for a given number of consecutive steps.
    """

    parameters: int
    run: Callable[[int], Sample]


@dataclass
class Timing:
    """Timings of one subject for one case, in seconds per training step.

    Attributes:
        subject: Measured cell.
        backend: Name of the Keras backend.
        parameters: Number of parameters of the model.
        first_step: Duration of the first step in seconds, including tracing and compilation.
        samples: One sample per round; fewer if the subject exceeds its time limit.
        peak_memory: Peak resident size of a separate process, in bytes; None if not measured.
    """

    subject: Subject
    backend: str
    parameters: int
    first_step: float
    samples: list[float] = field(default_factory=list)
    peak_memory: int | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Interquartile range relative to the median."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.median


def yardstick(case: Case, timings: list[Timing], backend: str) -> Timing:
    """Return the baseline of a backend: the fastest timing of the case's `yardstick`.

    Args:
        case: Measured case. Its `yardstick` is the name of a cell or the label of a subject.
        timings: Timings on all backends.
        backend: Name of the Keras backend.
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
    """Seconds per step of training runs, and of bare steps measured right before each run.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        runs: Seconds per step of the run in each round.
        bare: Seconds per bare step in each round.
    """

    task: str
    cell: str
    runs: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median over the rounds of the ratio of `runs` to `bare`."""
        return statistics.median(run / bare for run, bare in zip(self.runs, self.bare, strict=True))
