"""Keras callback that records, saves and stops a run between the steps of `Model.fit`.

A span is the steps from one evaluation to the next. A checkpoint at its end is saved after the
evaluation, so that a resumed run need not repeat it. Steps with a non-finite loss or gradient are
detected, recorded and handled here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from rumcli import parsing
from rumcli.config import RunConfig, TrainConfig
from rumcli.errors import RunError
from rumcli.signals import StopRequest
from rumcli.tasks.base import Task
from rumcli.training import model_state, run_environment
from rumcli.training.checkpoint import Checkpoint
from rumcli.training.listeners import Listener
from rumcli.training.process_group import ProcessGroup
from rumcli.training.run_dir import NOT_FINITE, RunDir
from rumcli.training.run_files import SavedProgress


@dataclass
class TrainState:
    """Step count, training time and best evaluation of a run.

    Attributes:
        step: Number of steps done.
        seconds: Training time, including the time before a resume.
        best: Step and value of the best evaluation so far.
        skipped: Number of steps skipped because the loss or gradient was not finite.
        consecutive_skips: Number of consecutive skipped steps up to now.
        until_met: Whether the last evaluation met `train.until`, which stops the run.
        stopped_by: Path of the user-defined callback that stopped the run; None if none did.
        running_metrics: Running metrics of the span in which the run was stopped, by name.
    """

    step: int = 0
    seconds: float = 0.0
    best: dict[str, Any] | None = None
    skipped: int = 0
    consecutive_skips: int = 0
    until_met: bool = False
    stopped_by: str | None = None
    running_metrics: Mapping[str, np.ndarray] = field(default_factory=dict)
    _last: float = field(default_factory=time.monotonic)

    @property
    def is_over(self) -> bool:
        """Whether the run was stopped before its last step."""
        return self.until_met or self.stopped_by is not None

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


def gradient_norms(model: keras.Model) -> np.ndarray:
    """Return the gradient norm of each trainable weight in the last step, `[W]`."""
    optimizer = model.optimizer
    # In float16 Keras wraps the optimizer, and skips steps whose scaled gradient overflows.
    guarded = getattr(optimizer, "inner_optimizer", optimizer)
    return keras.ops.convert_to_numpy(guarded.gradient_norms)


def is_bad(loss: float, norms: np.ndarray) -> bool:
    """Return whether a step's loss, or the square of its gradient norm, is not finite."""
    with np.errstate(over="ignore"):
        return not np.isfinite(loss) or not np.isfinite(np.sum(np.square(norms)))


def bad_step_record(
    step: int, seed: int, loss: float, norms: np.ndarray, model: keras.Model
) -> Any:
    """Return the record of a bad step, with non-finite numbers as `"nan"` and `"inf"`."""
    paths = [weight.path for weight in model.trainable_variables]
    return {
        "step": step,
        "seed": seed,
        "loss": _json_number(loss),
        "gradient_norms": {
            path: _json_number(norm) for path, norm in zip(paths, norms.tolist(), strict=True)
        },
    }


def record_skip(
    run: RunConfig, run_dir: RunDir, progress: TrainState, loss: float, model: keras.Model
) -> str:
    """Record a bad step, and count it as skipped.

    Args:
        run: Configuration of the run.
        run_dir: Run directory, where `not_finite.jsonl` receives a record.
        progress: Progress of the run, to be updated.
        loss: Mean loss since the last evaluation, including the bad step.
        model: Model with the gradient norms of the step.

    Returns:
        Warning for the user.

    Raises:
        RunError: If `train.on_non_finite` is `"stop"`, or there were too many consecutive bad
            steps.
    """
    norms = gradient_norms(model)
    step = progress.step
    with run_dir.writing():
        run_dir.append_record(bad_step_record(step, run.seed, loss, norms, model), NOT_FINITE)
    progress.skipped += 1
    progress.consecutive_skips += 1
    name = "loss" if not np.isfinite(loss) else "gradient"
    problem = f"the {name} of step {step} (seed {run.seed}) is not finite"
    details = f"the gradient norm of each weight is in {run_dir.path / NOT_FINITE}"
    if run.train.on_non_finite == "stop":
        raise RunError(
            f"{problem}; {details}; {_last_good(run_dir)}; try a smaller "
            "optimizer.learning_rate, optimizer.clip_norm=1, or train.on_non_finite=skip"
        )
    if progress.consecutive_skips > run.train.max_consecutive_skips:
        raise RunError(
            f"{problem}, after {progress.consecutive_skips - 1} consecutive skipped steps; "
            f"expected at most train.max_consecutive_skips={run.train.max_consecutive_skips}; "
            f"{details}; {_last_good(run_dir)}"
        )
    return f"{problem}; the step was skipped; {details}"


def _last_good(run_dir: RunDir) -> str:
    newest = run_dir.checkpoints.numbered()
    if not newest:
        return "no checkpoint was saved"
    return f"the last checkpoint is from step {int(newest[0].stem.removeprefix('step-'))}"


def _json_number(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


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
        run_dir: Run directory.
        progress: Progress of the run, updated in place.
        listener: Listener for the events of the run.
        request: Stop request, checked after each step.
        group: Processes that train the model together.
    """

    def __init__(
        self,
        task: Task,
        run_dir: RunDir,
        progress: TrainState,
        listener: Listener,
        request: StopRequest,
        group: ProcessGroup,
    ) -> None:
        super().__init__()
        self._task = task
        self._run_dir = run_dir
        self._progress = progress
        self._listener = listener
        self._request = request
        self._group = group
        self._running = RunningMeans()
        self._good_metrics: Mapping[str, np.ndarray] = {}  # to undo a skipped step
        until = task.config.train.until
        self._until = None if until is None else parsing.parse_threshold(until)

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
        run_environment.seed_step(self._task.config.seed, self._progress.step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the step, and save or stop the run if due."""
        means = {name: float(value) for name, value in (logs or {}).items()}
        self._progress.advance(time.monotonic())
        step = self._progress.step
        if is_bad(means["loss"], gradient_norms(self.model)):
            self._skip_step(means["loss"])
        else:
            self._progress.consecutive_skips = 0
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

    def _skip_step(self, loss: float) -> None:
        """Record a bad step, which changed no weight, and remove it from the running metrics."""
        warning = record_skip(self._task.config, self._run_dir, self._progress, loss, self.model)
        self._listener.warned(warning)
        if self._good_metrics:
            model_state.restore_metrics(self.model, self._good_metrics)
        else:
            self.model.reset_metrics()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the evaluation, save the best weights, and save or stop the run if due."""
        arrays = model_state.capture(self.model)
        # Other types of processors round differently, and the differences grow over time.
        advice = "; expected the same type of processor on every host"
        self._group.check_equal(list(arrays.values()), "the model", advice, RunError)
        # A user-defined callback may add entries, such as the learning rate.
        numbers = {k: v for k, v in (logs or {}).items() if isinstance(v, (int, float, np.number))}
        values = {name: float(value) for name, value in numbers.items()}
        self._evaluated(self._task.derive_metrics(values), arrays)
        if self._progress.until_met:
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
        with self._run_dir.writing():
            self._run_dir.append_record(record)
        # Before the best checkpoint, from which the run may have to continue.
        if self._until is not None and self._until.is_met(values[f"val_{self._until.name}"]):
            self._progress.until_met = True
        value = values[f"val_{self._task.monitor}"]
        if self._progress.improves(value, self._task.higher_is_better):
            self._progress.best = {"step": step, "value": value}
            with self._run_dir.writing():
                self._run_dir.checkpoints.save_best(self._checkpoint(arrays))
        self._listener.evaluated(record)

    def _is_time_to_save(self, step: int) -> bool:
        # Weights with which every step is bad must not replace the last good checkpoints.
        is_finite = not self._progress.consecutive_skips
        return is_finite and step % self._settings.checkpoint_every == 0

    def _save(self, arrays: dict[str, Any]) -> None:
        with self._run_dir.writing():
            self._run_dir.save(self._checkpoint(arrays), self._settings.keep_checkpoints)

    def _checkpoint(self, arrays: dict[str, Any]) -> Checkpoint:
        step, progress = self._progress.step, self._progress.to_json()
        return Checkpoint(step, arrays, progress, self._run_dir.back_up_records())


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
