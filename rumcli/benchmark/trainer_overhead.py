"""Overhead of `rum train` over bare training steps of the same model, on TensorFlow.

A measured run is complete, with its data, metrics, callback and progress display.
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

# Steps per sample, for a few seconds each.
_STEPS = {"copying": 50, "recall": 300}
# Steps at the start of a run, which include building and compilation.
_SKIPPED = 10


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
