"""Checks of `rum doctor`: Keras's backend, fused loops, and a speed test of about two seconds.

For `rum bench`, also the overhead of `rum train` over bare training steps of the same model, on
TensorFlow. A measured run is complete, with its data, metrics, callback and progress display.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from rumcli import cells, config
from rumcli.benchmark.cases import Case, Pace, Subject, Timing
from rumcli.benchmark.measure import measure
from rumcli.cells.base import RecurrentLayer
from rumcli.cells.fused import dispatch
from rumcli.config import RunConfig
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.training import run_environment
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train

CASE = Case(name="small", steps=50, batch=32, features=10, units=64, classes=9)
_ROUNDS = 5  # with a sample of 0.2 s for each of the two subjects

# Steps per sample, for a few seconds each.
_STEPS = {"copying": 50, "recall": 300}
# Steps at the start of a run, which include building and compilation.
_SKIPPED = 10


def backend() -> dict[str, Any]:
    """Return Keras's backend, its devices and its thread limits.

    Returns:
        A dictionary with the keys:

        - `name`: Name of the backend.
        - `devices`: Names of all devices.
        - `accelerators`: Names of the devices other than CPUs.
        - `threads`: TensorFlow's `intra_op` and `inter_op` limits, 0 for TensorFlow's default;
          None on other backends.
    """
    name = keras.backend.backend()
    return {
        "name": name,
        "devices": _devices(name),
        "accelerators": run_environment.device_names(),
        "threads": _threads(name),
    }


def _devices(backend: str) -> list[str]:
    if backend == "tensorflow":
        import tensorflow as tf

        return [
            device.name.removeprefix("/physical_device:")
            for device in tf.config.list_physical_devices()
        ]
    if backend == "torch":  # which `keras.distribution.list_devices` does not support
        return ["cpu", *(f"cuda:{number}" for number in range(len(run_environment.device_names())))]
    return [str(device) for device in keras.distribution.list_devices()]


def _threads(backend: str) -> dict[str, int] | None:
    if backend != "tensorflow":
        return None
    from tensorflow.config import threading

    return {
        "intra_op": threading.get_intra_op_parallelism_threads(),
        "inter_op": threading.get_inter_op_parallelism_threads(),
    }


def fused_loops() -> list[dict[str, Any]]:
    """Return for each cell whether `fit` uses the fused loop, and the reason if it doesn't."""
    found = []
    for name in cells.names():
        layer = cells.make(name, CASE.units)
        if not isinstance(layer, RecurrentLayer):
            continue  # one of Keras's
        reason = dispatch.why_not_auto(layer)
        found.append({"cell": name, "fused": reason is None, "reason": reason})
    return found


def speed() -> dict[str, Any]:
    """Measure training steps of RUM and Keras's GRU, for about two seconds in total.

    Returns:
        The case, and for each subject:

        - `steps_per_second`: Reciprocal of the median seconds per step.
        - `spread`: Interquartile range relative to the median.
        - `first_step_seconds`: Duration of the first step, including compilation.
    """
    on_tensorflow = keras.backend.backend() == "tensorflow"
    subjects = [
        Subject("rum", "rum", {"time_norm": 1.0}),
        # Compiling the whole step of Keras's GRU takes longer than the test.
        Subject("gru", "gru", jit=False if on_tensorflow else None),
    ]
    return {
        "case": CASE.model_dump(),
        "results": [_result(t) for t in measure(CASE, subjects, _ROUNDS)],
    }


def _result(timing: Timing) -> dict[str, Any]:
    return {
        "cell": timing.subject.cell,
        "steps_per_second": 1 / timing.median,
        "spread": timing.spread,
        "first_step_seconds": timing.first_step,
    }


def measure_pace(
    task: str,
    cell: str,
    rounds: int,
    listener: Callable[[], Listener],
    report: Callable[[str], None] = lambda text: None,
) -> Pace:
    """Measure bare steps and runs in turn.

    Args:
        task: Name of a task.
        cell: Name of a cell.
        rounds: Number of measurements of each.
        listener: Factory of the listener that displays a run's progress.
        report: Function that receives a description of the current activity.

    Returns:
        The seconds per step of all rounds.
    """
    steps = _STEPS[task]
    run = _configuration(task, cell, steps)
    run_environment.prepare_keras(run)
    pace = Pace(task, cell)
    step = _bare_step(registry.make(run))
    for number in range(rounds):
        report(f"{task}: run {number + 1} of {rounds} with {cell}")
        begin = time.perf_counter()
        for _ in range(steps - _SKIPPED):
            step()
        pace.bare.append((time.perf_counter() - begin) / (steps - _SKIPPED))
        stopwatch = _Stopwatch(listener())
        with tempfile.TemporaryDirectory() as place:
            train(run, RunDir.create(Path(place) / "run", run), stopwatch)
        times = stopwatch.times[_SKIPPED - 1 :]
        pace.runs.append((times[-1] - times[0]) / (len(times) - 1))
    return pace


def _configuration(task: str, cell: str, steps: int) -> RunConfig:
    settings = [
        "train.batch_size=128",  # as in the cases of `rum bench`
        f"train.eval_every={steps}",
        f"train.checkpoint_every={steps}",
        "task.validation_examples=128",
        "task.test_examples=128",
    ]
    flags: dict[tuple[str, ...], Any] = {
        ("task", "name"): task,
        ("cell", "name"): cell,
        ("train", "steps"): steps,
    }
    return config.build(None, settings, flags)


def _bare_step(task: Task) -> Callable[[], Any]:
    """Return a training step on a fixed batch, without callbacks."""
    import tensorflow as tf

    model = task.model()
    batch = tuple(map(tf.constant, task.training_batch(0)))
    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def step() -> float:
        return float(model.train_function(batches)["loss"])

    for _ in range(2):
        step()
    return step


class _Stopwatch(Listener):
    """Records the end time of each step, and forwards all events."""

    def __init__(self, inner: Listener) -> None:
        self._inner = inner
        self.times: list[float] = []

    def started(self, plan: Any) -> None:
        self._inner.started(plan)

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        self._inner.stepped(step, logs)
        self.times.append(time.perf_counter())

    def ended(self) -> None:
        self._inner.ended()
