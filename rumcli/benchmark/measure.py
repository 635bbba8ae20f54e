"""The measurement: forward, backward and update of a model, in turn with the others.

Machines are shared and their speed drifts: whoever is compared is measured one after the other, in
many rounds, and medians are compared.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from rumcli import cells
from rumcli.benchmark.cases import Case, Subject

# A sample is as many steps as fit into this time, so that the clock's own noise does not count.
_SAMPLE_SECONDS = 0.1


@dataclass
class Timing:
    """The times of one subject at one size, in seconds per training step.

    Attributes:
        subject: Who.
        parameters: Number of trainable weights of the model.
        first_step: Seconds that the first step took, with tracing and compilation.
        samples: One for each round.
        peak_memory: Largest resident size of a process of its own, in bytes; None if not measured.
    """

    subject: Subject
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


def yardstick(case: Case, timings: list[Timing]) -> Timing:
    """Return the fastest of those that the others are compared with, such as Keras's GRUs."""
    named = [t for t in timings if case.yardstick in (t.subject.cell, t.subject.label)]
    return min(named, key=lambda timing: timing.median)


def prepare(case: Case, subject: Subject) -> Callable[[], float]:
    """Make a model and data, and return a function that does one training step.

    Returns:
        A function that waits for the step to end and returns the loss; its attribute `parameters`
        is the number of trainable weights.
    """
    keras.utils.set_random_seed(1)
    cell = cells.make(
        subject.cell,
        case.units,
        return_sequences=case.return_sequences,
        **subject.options,
    )
    model = keras.Sequential(
        [keras.Input((case.steps, case.features)), cell, keras.layers.Dense(case.classes)]
    )
    options: dict[str, Any] = {} if subject.jit is None else {"jit_compile": subject.jit}
    model.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **options,
    )
    inputs, targets = map(keras.ops.convert_to_tensor, _data(case))

    def step() -> float:
        return float(model.train_on_batch(inputs, targets))

    step.parameters = model.count_params()  # type: ignore[attr-defined]
    return step


def measure(
    case: Case,
    chosen: list[Subject],
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Timing]:
    """Measure subjects at one size, in turn.

    Args:
        case: The size.
        chosen: Who is compared.
        rounds: Samples of each.
        report: Hears what is going on.

    Returns:
        The timings in the order of `chosen`.
    """
    steps, timings, counts = [], [], []
    for subject in chosen:
        report(f"{case.name}: preparing {subject.label}")
        step = prepare(case, subject)
        first = _seconds(step, 1)
        second = _seconds(step, 1)
        steps.append(step)
        timings.append(Timing(subject, step.parameters, first))
        counts.append(max(1, math.ceil(_SAMPLE_SECONDS / second)))
    for number in range(rounds):
        report(f"{case.name}: round {number + 1} of {rounds}")
        for step, timing, count in zip(steps, timings, counts, strict=True):
            # In a run a step follows one of its own kind: not into caches and memory that others
            # have just had.
            step()
            timing.samples.append(_seconds(step, count))
    keras.utils.clear_session()
    return timings


def _seconds(step: Callable[[], float], count: int) -> float:
    """Return the seconds that one of `count` steps takes."""
    begin = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - begin) / count


def _data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    shape = (case.batch, case.steps)
    if case.one_hot:
        inputs = np.eye(case.features, dtype="float32")[random.integers(0, case.features, shape)]
    else:
        inputs = random.standard_normal((*shape, case.features), dtype="float32")
    targets = random.integers(0, case.classes, shape if case.return_sequences else shape[:1])
    return inputs, targets.astype("int32")
