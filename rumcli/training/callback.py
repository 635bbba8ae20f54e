"""Keras callback that records, saves and stops a run between the steps of `Model.fit`.

A span is the steps from one evaluation to the next. A checkpoint at its end is saved after the
evaluation, so that a resumed run need not repeat it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rumcli import thresholds
from rumcli.config import TrainConfig
from rumcli.errors import RunError
from rumcli.tasks.base import Task
from rumcli.training import keras_setup, model_state, nan_guard
from rumcli.training.checkpoint import Checkpoint
from rumcli.training.listeners import Listener
from rumcli.training.process_group import ProcessGroup
from rumcli.training.run_dir import RunDir
from rumcli.training.stop_signals import StopRequest
from rumcli.training.train_state import TrainState


class RunStopped(Exception):  # noqa: N818 - not an error: it was requested
    """Raised when a signal stops a run, after its state is saved.

    Args:
        step: Number of steps saved.
        signal: Number of the signal.
    """

    def __init__(self, step: int, signal: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step
        self.signal = signal


class RunCallback(keras.callbacks.Callback):
    """Callback that keeps the run directory up to date during `Model.fit`.

    Args:
        task: Task of the run.
        folder: Run directory.
        progress: Progress of the run, updated in place.
        listener: Listener for the events of the run.
        request: Stop request, checked after each step.
        group: Processes that train the model together.
    """

    def __init__(
        self,
        task: Task,
        folder: RunDir,
        progress: TrainState,
        listener: Listener,
        request: StopRequest,
        group: ProcessGroup,
    ) -> None:
        super().__init__()
        self._task = task
        self._folder = folder
        self._progress = progress
        self._listener = listener
        self._request = request
        self._group = group
        self._running = RunningMeans()
        self._good_metrics: Mapping[str, np.ndarray] = {}  # to undo a skipped step
        until = task.config.train.until
        self._until = None if until is None else thresholds.read(until)

    @property
    def _settings(self) -> TrainConfig:
        return self._task.config.train

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Restore the running metrics of a span in which the run was stopped."""
        self._running = RunningMeans()
        if self._progress.running_metrics:
            model_state.restore_metrics(self.model, self._progress.running_metrics)
            self._running = RunningMeans(self._progress.step % self._settings.eval_every)
            self._good_metrics = self._progress.running_metrics
            self._progress.running_metrics = {}
        else:
            self._good_metrics = {}

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Seed the step's random numbers."""
        keras_setup.seed_step(self._task.config.seed, self._progress.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the step, and save or stop the run if due."""
        means = {name: float(value) for name, value in (logs or {}).items()}
        self._progress.advance(time.monotonic())
        step = self._progress.step
        if nan_guard.is_bad(means["loss"], nan_guard.gradient_norms(self.model)):
            self._leave_out(means["loss"])
        else:
            self._progress.skipped_in_a_row = 0
            if self._settings.on_non_finite == "skip":
                self._good_metrics = model_state.capture_metrics(self.model)
            self._listener.stepped(step, self._task.derive_metrics(self._running.latest(means)))
        if self._progress.is_over or self._is_end_of_span(step):
            return  # end of a span: continued in `on_epoch_end`
        signal = self._group.agree(self._request.signal)
        if signal is not None or self._is_time_to_save(step):
            self._save(
                {**model_state.capture(self.model), **model_state.capture_metrics(self.model)}
            )
        if signal is not None:
            raise RunStopped(step, signal)

    def _leave_out(self, loss: float) -> None:
        """Record a bad step, which changed no weight, and remove it from the running metrics."""
        warning = nan_guard.leave_out(
            self._task.config, self._folder, self._progress, loss, self.model
        )
        self._listener.warned(warning)
        if self._good_metrics:
            model_state.restore_metrics(self.model, self._good_metrics)
        else:
            self.model.reset_metrics()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the evaluation, save the best weights, and save or stop the run if due."""
        arrays = model_state.capture(self.model)
        # Other kinds of processors round differently, and the differences grow over time.
        advice = "; expected the same kind of processor on every host"
        self._group.check_equal(list(arrays.values()), "the model", advice, RunError)
        # A user-defined callback may add entries, such as the learning rate.
        numbers = {k: v for k, v in (logs or {}).items() if isinstance(v, (int, float, np.number))}
        values = {name: float(value) for name, value in numbers.items()}
        self._evaluated(self._task.derive_metrics(values), arrays)
        if self._progress.reached:
            self.model.stop_training = True
        signal = self._group.agree(self._request.signal)
        step = self._progress.step
        last = step == self._settings.steps or self._progress.is_over
        if last or signal is not None or self._is_time_to_save(step):
            self._save(arrays)
        if signal is not None and not last:
            raise RunStopped(step, signal)

    def _is_end_of_span(self, step: int) -> bool:
        return step == self._settings.steps or step % self._settings.eval_every == 0

    def _evaluated(self, values: dict[str, float], arrays: dict[str, Any]) -> None:
        step = self._progress.step
        record = {"step": step, **values, "seconds": round(self._progress.seconds, 3)}
        with self._folder.writing():
            self._folder.append_record(record)
        # Before the best checkpoint, from which the run may have to continue.
        if self._until is not None and self._until.is_met(values[f"val_{self._until.name}"]):
            self._progress.reached = True
        value = values[f"val_{self._task.monitor}"]
        if self._progress.improves(value, self._task.higher_is_better):
            self._progress.best = {"step": step, "value": value}
            with self._folder.writing():
                self._folder.checkpoints.save_best(self._checkpoint(arrays))
        self._listener.evaluated(record)

    def _is_time_to_save(self, step: int) -> bool:
        # Weights with which every step is bad must not replace the last good checkpoints.
        is_good = not self._progress.skipped_in_a_row
        return is_good and step % self._settings.checkpoint_every == 0

    def _save(self, arrays: dict[str, Any]) -> None:
        with self._folder.writing():
            self._folder.save(self._checkpoint(arrays), self._settings.keep_checkpoints)

    def _checkpoint(self, arrays: dict[str, Any]) -> Checkpoint:
        step, progress = self._progress.step, self._progress.to_json()
        return Checkpoint(step, arrays, progress, self._folder.back_up_records())


class RunningMeans:
    """Recovery of the values of single steps from Keras's means since the start of a span.

    Args:
        count: Number of steps of the span done before a resume.
    """

    def __init__(self, count: int = 0) -> None:
        self._count = count
        self._totals: dict[str, float] | None = {} if count == 0 else None

    def latest(self, means: dict[str, float]) -> dict[str, float]:
        """Return the values of the latest step, or `means` right after a resume.

        Args:
            means: Means since the start of the span, by name.
        """
        self._count += 1
        totals = {name: mean * self._count for name, mean in means.items()}
        before, self._totals = self._totals, totals
        if before is None:
            return means
        return {name: total - before.get(name, 0.0) for name, total in totals.items()}
