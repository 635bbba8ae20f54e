"""What a run costs besides its steps: `rum train` beside the bare step of the same model.

The run is a whole one, with its data, metrics, callback and progress. TensorFlow only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rumcli import config
from rumcli.benchmark.timing import Pace
from rumcli.config import RunConfig
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.training import keras_setup
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train

# Steps of a sample, so that each takes a few seconds.
_STEPS = {"copying": 50, "recall": 300}
# The first steps of a run build and compile it.
_SKIPPED = 10


def measure_pace(
    task: str,
    cell: str,
    rounds: int,
    listener: Callable[[], Listener],
    report: Callable[[str], None] = lambda text: None,
) -> Pace:
    """Measure runs and bare steps in turn.

    Args:
        task: Name of a task.
        cell: Name of a cell.
        rounds: How many of each.
        listener: Makes what shows a run's progress.
        report: Hears what is going on.
    """
    steps = _STEPS[task]
    run = _configuration(task, cell, steps)
    keras_setup.prepare(run)
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
        f"train.eval_every={steps}",
        f"train.checkpoint_every={steps}",
        "task.validation_examples=128",
        "task.test_examples=128",
    ]
    flags = {("task", "name"): task, ("cell", "name"): cell, ("train", "steps"): steps}
    return config.build(None, settings, flags)


def _bare_step(task: Task) -> Callable[[], Any]:
    """Return one step on data that never changes, without callbacks."""
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
    """Notes when each step is done, and passes on what it hears."""

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
