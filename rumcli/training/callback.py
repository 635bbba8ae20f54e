"""The one callback: between the steps of `Model.fit` it records, saves, and stops.

A checkpoint at the end of a span (from one evaluation to the next) is taken after the evaluation,
so that a resumed run never has one to make up for.
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


class RunStopped(Exception):  # noqa: N818 - not an error: it was asked for
    """The run was asked to stop; all is saved.

    Attributes:
        step: Number of steps that are saved.
        signal: Number of the signal that asked.
    """

    def __init__(self, step: int, signal: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step
        self.signal = signal


class RunCallback(keras.callbacks.Callback):
    """Keeps the run folder up to date while the model is fitted."""

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
        self._good_metrics: Mapping[str, np.ndarray] = {}  # before a step that is skipped
        until = task.config.train.until
        self._until = None if until is None else thresholds.read(until)

    @property
    def _settings(self) -> TrainConfig:
        return self._task.config.train

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Go on with the means of a span in whose middle the run was stopped."""
        self._running = RunningMeans()
        if self._progress.running_metrics:
            model_state.restore_metrics(self.model, self._progress.running_metrics)
            self._running = RunningMeans(self._progress.step % self._settings.eval_every)
            self._good_metrics = self._progress.running_metrics
            self._progress.running_metrics = {}
        else:
            self._good_metrics = {}

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Seed what the step draws."""
        keras_setup.seed_step(self._task.config.seed, self._progress.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the step; save and stop if it is time to."""
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
            return  # the end of a span: `on_epoch_end` does the rest
        signal = self._group.agree(self._request.signal)
        if signal is not None or self._is_time_to_save(step):
            self._save(
                {**model_state.capture(self.model), **model_state.capture_metrics(self.model)}
            )
        if signal is not None:
            raise RunStopped(step, signal)

    def _leave_out(self, loss: float) -> None:
        """Take a bad step, which changed no weight, out of the means of the span too."""
        warning = nan_guard.leave_out(
            self._task.config, self._folder, self._progress, loss, self.model
        )
        self._listener.warned(warning)
        if self._good_metrics:
            model_state.restore_metrics(self.model, self._good_metrics)
        else:
            self.model.reset_metrics()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the evaluation; save; keep the best."""
        arrays = model_state.capture(self.model)
        # Of the same operations other kinds of processors make other digits, and more in time.
        advice = "; expected the same kind of processor on every host"
        self._group.check_equal(list(arrays.values()), "the model", advice, RunError)
        # A callback of the user's own may add anything, such as the learning rate.
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
        # Weights with which every step is bad must not drive out the last good checkpoints.
        is_good = not self._progress.skipped_in_a_row
        return is_good and step % self._settings.checkpoint_every == 0

    def _save(self, arrays: dict[str, Any]) -> None:
        with self._folder.writing():
            self._folder.save(self._checkpoint(arrays), self._settings.keep_checkpoints)

    def _checkpoint(self, arrays: dict[str, Any]) -> Checkpoint:
        step, progress = self._progress.step, self._progress.to_json()
        return Checkpoint(step, arrays, progress, self._folder.back_up_records())


class RunningMeans:
    """Gets the value of each step back out of means since the start of a span."""

    def __init__(self, count: int = 0) -> None:
        self._count = count
        self._totals: dict[str, float] | None = {} if count == 0 else None

    def latest(self, means: dict[str, float]) -> dict[str, float]:
        """Return the values of the latest step; right after a resume, the means themselves."""
        self._count += 1
        totals = {name: mean * self._count for name, mean in means.items()}
        before, self._totals = self._totals, totals
        if before is None:
            return means
        return {name: total - before.get(name, 0.0) for name, total in totals.items()}
