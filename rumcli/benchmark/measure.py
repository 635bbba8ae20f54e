"""Timing of training steps (forward, backward, update) on the current Keras backend.

The speed of a shared machine drifts. The subjects are therefore measured in turn over many rounds,
and compared by their medians. On PyTorch, its recurrent modules are also measured without Keras;
their model, loss and optimizer match the Keras step.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import math
import os
import platform
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from rumcli import cells, system_info
from rumcli.benchmark.cases import TORCH_MODULES, Case, Runner, Sample, Subject, Timing
from rumcli.training import run_environment

# Duration of a sample, in consecutive steps; long enough that timer noise is negligible.
_SAMPLE_SECONDS = 0.2
# Time limit of a subject on torch, where steps are not compiled; checked before each sample.
_TIME_LIMIT_SECONDS = 30.0


def describe_host() -> dict[str, Any]:
    """Return the processor, number of cores, accelerators, backend and versions."""
    backend = keras.backend.backend()
    return {
        "processor": system_info.processor(),
        "cores": os.cpu_count(),
        "accelerators": run_environment.device_names(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "backend": backend,
        "keras": keras.version(),
        backend: importlib.metadata.version(backend),
    }


def prepare_torch_step(case: Case, name: str, inputs: Any, targets: Any) -> Runner:
    """Build a model whose training steps synchronize with the device only after the last one.

    Args:
        case: Size of the model and the batch.
        name: Name of a module in `TORCH_MODULES`.
        inputs: Float tensor `[B, T, D]`; its device is that of the model.
        targets: Integer tensor of classes, `[B, T]`, or `[B]` without `return_sequences`.
    """
    import torch
    from torch import nn

    recurrent = getattr(nn, name.removeprefix("nn."))(case.features, case.units, batch_first=True)
    model = nn.ModuleList([recurrent, nn.Linear(case.units, case.classes)]).to(inputs.device)
    # Keras's RMSprop: PyTorch's defaults are 0.99 and 1e-8.
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    loss_of = nn.CrossEntropyLoss()
    targets = targets.long().flatten()

    def step() -> Any:
        recurrent, linear = model
        optimizer.zero_grad()
        states, _ = recurrent(inputs)
        logits = linear(states if case.return_sequences else states[:, -1])
        loss = loss_of(logits.flatten(0, -2), targets)
        loss.backward()
        optimizer.step()
        return loss

    def run(count: int) -> Sample:
        begin = time.perf_counter()
        for _ in range(count):
            loss = step()
        value = float(loss.item())  # waits for the device
        return Sample(time.perf_counter() - begin, value)

    return Runner(sum(p.numel() for p in model.parameters()), run)


def prepare(case: Case, subject: Subject) -> Runner:
    """Build a model and a fixed training batch.

    Args:
        case: Size of the model and the batch.
        subject: Cell to measure.

    Returns:
        A runner of training steps on that batch.
    """
    keras.utils.set_random_seed(1)
    inputs, targets = map(keras.ops.convert_to_tensor, _data(case))
    if subject.cell in TORCH_MODULES:
        return prepare_torch_step(case, subject.cell, inputs, targets)
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

    batches = _repeat(inputs, targets)

    def run(count: int) -> Sample:
        stopwatch = _Stopwatch()
        model.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0, callbacks=[stopwatch])
        return stopwatch.sample

    return Runner(model.count_params(), run)


class _Stopwatch(keras.callbacks.Callback):
    """Measures the time of one epoch's steps, without the setup time of `fit`."""

    # Lets Keras start a step before the previous one has finished.
    async_safe = True
    sample: Sample

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch == 0:
            self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        loss = float(logs["loss"])  # waits for the device
        self.sample = Sample(time.perf_counter() - self._begin, loss)


def _repeat(inputs: Any, targets: Any) -> Any:
    """Return an infinite iterable of the batch, with the least overhead in `fit`."""
    if keras.backend.backend() != "tensorflow":
        return (batch for batch in itertools.repeat((inputs, targets)))
    import tensorflow as tf

    return tf.data.Dataset.from_tensors((inputs, targets)).repeat()


class Measurement:
    """Subjects of one case, built and ready to measure in rounds.

    Args:
        case: Case to measure.
        chosen: Subjects to compare.
        report: Function that receives a description of the current activity.
    """

    def __init__(
        self,
        case: Case,
        chosen: list[Subject],
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._subjects = []
        for subject in chosen:
            report(f"{case.name}: preparing {subject.label}")
            self._subjects.append(_Stepper(case, subject))
        self.timings = [stepper.timing for stepper in self._subjects]

    def round(self) -> list[float | None]:
        """Add a sample to each timing.

        Returns:
            The samples in the order of the subjects; None past the subject's time limit.
        """
        return [stepper.sample() for stepper in self._subjects]

    def close(self) -> None:
        """Free the models."""
        self._subjects = []
        keras.utils.clear_session()


class _Stepper:
    """A subject with its runner and its remaining time."""

    def __init__(self, case: Case, subject: Subject) -> None:
        backend = keras.backend.backend()
        self._runner = prepare(case, subject)
        self._left = _TIME_LIMIT_SECONDS if backend == "torch" else math.inf
        begin = time.perf_counter()
        self._run(1)
        first = seconds = time.perf_counter() - begin
        if first < self._left:  # else reuse the first step's time: torch does not compile
            seconds = self._run(1)
        self._count = max(1, math.ceil(_SAMPLE_SECONDS / seconds))
        self.timing = Timing(subject, backend, self._runner.parameters, first)

    def sample(self) -> float | None:
        if self._left <= 0 and self.timing.samples:
            return None
        # Warm-up: in a training run, a step does not start with caches filled by other models.
        self._run(1)
        self.timing.samples.append(self._run(self._count))
        return self.timing.samples[-1]

    def _run(self, count: int) -> float:
        """Return the mean seconds per step over `count` steps."""
        seconds = self._runner.run(count).seconds
        self._left -= seconds
        return seconds / count


def measure(case: Case, chosen: list[Subject], rounds: int) -> list[Timing]:
    """Measure the subjects of one case in turn, in this process.

    Args:
        case: Case to measure.
        chosen: Subjects to compare.
        rounds: Number of samples per subject.

    Returns:
        The timings in the order of `chosen`.
    """
    measurement = Measurement(case, chosen)
    for _ in range(rounds):
        measurement.round()
    measurement.close()
    return measurement.timings


def _data(case: Case) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    shape = (case.batch, case.steps)
    if case.one_hot:
        inputs = np.eye(case.features, dtype="float32")[random.integers(0, case.features, shape)]
    else:
        inputs = random.standard_normal((*shape, case.features), dtype="float32")
    targets = random.integers(0, case.classes, shape if case.return_sequences else shape[:1])
    return inputs, targets.astype("int32")
