"""Detect, record and handle steps with a non-finite loss or gradient."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from rumcli.config import RunConfig
from rumcli.errors import RunError
from rumcli.training.run_dir import NOT_FINITE, RunDir
from rumcli.training.train_state import TrainState


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


def record(step: int, seed: int, loss: float, norms: np.ndarray, model: keras.Model) -> Any:
    """Return the record of a bad step, with non-finite numbers as `"nan"` and `"inf"`."""
    paths = [weight.path for weight in model.trainable_variables]
    return {
        "step": step,
        "seed": seed,
        "loss": _spoken(loss),
        "gradient_norms": {
            path: _spoken(norm) for path, norm in zip(paths, norms.tolist(), strict=True)
        },
    }


def leave_out(
    run: RunConfig, folder: RunDir, progress: TrainState, loss: float, model: keras.Model
) -> str:
    """Record a bad step, and count it as skipped.

    Args:
        run: Configuration of the run.
        folder: Run directory, where `not_finite.jsonl` receives a record.
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
    with folder.writing():
        folder.append_record(record(step, run.seed, loss, norms, model), NOT_FINITE)
    progress.skipped += 1
    progress.skipped_in_a_row += 1
    what = "loss" if not np.isfinite(loss) else "gradient"
    where = f"the {what} of step {step} (seed {run.seed}) is not finite"
    details = f"the norm of each weight's gradient is in {folder.path / NOT_FINITE}"
    if run.train.on_non_finite == "stop":
        raise RunError(
            f"{where}; {details}; {_last_good(folder)}; try a smaller --learning-rate, "
            "--set optimizer.clip_norm=1, or --on-non-finite skip"
        )
    if progress.skipped_in_a_row > run.train.max_consecutive_skips:
        raise RunError(
            f"{where}, like {progress.skipped_in_a_row - 1} before it, more than "
            f"train.max_consecutive_skips; {details}; {_last_good(folder)}"
        )
    return f"{where}; skipped; {details}"


def _last_good(folder: RunDir) -> str:
    newest = folder.checkpoints.numbered()
    if not newest:
        return "nothing was saved yet"
    return f"the last checkpoint is of step {int(newest[0].stem.removeprefix('step-'))}"


def _spoken(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)
