"""Evaluation of a model on one split, and of a run folder."""

from __future__ import annotations

from typing import Any

import keras

from rumcli.config import Split
from rumcli.errors import RunError
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.training import session, state
from rumcli.training.checkpoint import BEST, DamagedError
from rumcli.training.dataset import EvaluationData
from rumcli.training.run_folder import RunFolder


def evaluate(task: Task, model: keras.Model, split: Split) -> dict[str, float]:
    """Return loss and metric over all examples of a split."""
    values = model.evaluate(EvaluationData(task, split), return_dict=True, verbose=0)
    return {name: float(value) for name, value in values.items()}


def evaluate_run(folder: RunFolder, split: Split, which: str) -> dict[str, Any]:
    """Evaluate the weights of a run.

    Args:
        folder: The run's folder.
        split: `"validation"` or `"test"`.
        which: `"best"` (by validation) or `"last"`.

    Raises:
        RunError: If there is no checkpoint, or it is damaged.
    """
    run = folder.config
    checkpoints = folder.checkpoints
    try:
        checkpoint = checkpoints.load_best() if which == BEST else checkpoints.load_newest()[0]
    except DamagedError as error:
        raise RunError(f"{error}; try --checkpoint last") from error
    if checkpoint is None:
        raise RunError(
            f"{folder.path} has no '{which}' checkpoint yet; go on with it: {folder.resume_command}"
        )
    session.prepare(run)
    task = registry.make(run)
    model = task.model()
    state.restore_weights(model, checkpoint.arrays)
    values = evaluate(task, model, split)
    return {
        "task": run.task.name,
        "cell": run.cell.name,
        **outcome(task, split, checkpoint.step, values),
        "folder": str(folder.path),
    }


def outcome(task: Task, split: Split, step: int, values: dict[str, float]) -> dict[str, Any]:
    """Put an evaluation beside the task's reference level, as `summary.json` has it.

    Args:
        task: The task.
        split: What was evaluated.
        step: The step that the weights are of.
        values: Loss and metric.
    """
    reference = task.reference
    monitored = values[task.monitor]
    return {
        "split": str(split),
        "examples": task.examples_in(split),
        "weights_of_step": step,
        "loss": values["loss"],
        "metric": task.metric,
        task.metric: values[task.metric],
        "reference": {
            "of": task.monitor,
            "label": reference.label,
            "level": reference.baseline,
            "solved": reference.solved,
        },
        "distance": monitored - reference.baseline,
        "fraction_of_the_way": reference.fraction(monitored),
        "beaten": reference.is_beaten(monitored),
    }
