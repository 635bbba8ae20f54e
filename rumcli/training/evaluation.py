"""Evaluation of a model, or of a run directory, on one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from pydantic import ValidationError

from rumcli import errors
from rumcli.config import Split, at_length
from rumcli.config.validation import expected
from rumcli.errors import ConfigError, RunError
from rumcli.json_schemas.results import Evaluation
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.baseline import standard_error
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training import dataset_binding, model_state, requirements, resume, run_environment
from rumcli.training.checkpoint import BEST, Checkpoint, DamagedError
from rumcli.training.data_pipeline import evaluation_batches
from rumcli.training.process_group import ALONE, ProcessGroup
from rumcli.training.requirements import Threshold
from rumcli.training.run_dir import RunDir


def evaluate(
    task: Task, model: keras.Model, split: Split, group: ProcessGroup = ALONE
) -> dict[str, float]:
    """Return the loss and metrics over a whole split, by name."""
    batches = evaluation_batches(task, split, group)
    values = model.evaluate(batches, return_dict=True, verbose=0)
    return task.derive_metrics({name: float(value) for name, value in values.items()})


def evaluate_run(
    run_dir: RunDir,
    split: Split,
    which: str,
    dataset: TaskDataset | None = None,
    examples: int = 0,
    thresholds: Sequence[Threshold] = (),
    lengths: Sequence[int] = (),
    report: Callable[[str], None] = lambda text: None,
    use: Callable[[Task, keras.Model], None] = lambda task, model: None,
) -> dict[str, Any]:
    """Evaluate the weights of a run.

    Args:
        run_dir: Run directory.
        split: `"validation"` or `"test"`.
        which: `"best"` (by validation) or `"last"`.
        dataset: Dataset from `dataset_binding.for_evaluation`; None: it is loaded if needed.
        examples: Number of single predictions to include, if the task shows them.
        thresholds: Thresholds on the result. Their metric names are checked before the evaluation.
        lengths: Lengths of sequences at which to evaluate as well.
        report: Callback for a description of each slow step.
        use: Callback for the task and its model after the evaluation.

    Returns:
        The result, with the keys of `outcome` and of the task's `prediction_report`.

    Raises:
        RunError: If the checkpoint is missing or damaged.
        ConfigError: If the dataset is missing or invalid, or a metric is unknown.
    """
    task, model, step = restore_run(run_dir, split, which, dataset)
    check_outcome(task, run_dir, split)
    requirements.check_names(thresholds, requirements.result_metrics(task))
    report(f"evaluating the {split} split")
    values = evaluate(task, model, split)
    found = outcome(task, run_dir, split, step, values)
    found |= task.prediction_report(model, split, examples)
    use(task, model)
    if lengths:
        found["lengths"] = evaluate_lengths(run_dir, split, which, lengths, report)
    return found


def evaluate_lengths(
    run_dir: RunDir,
    split: Split,
    which: str,
    lengths: Sequence[int],
    report: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Evaluate the weights of a run on sequences of other lengths than that of its training.

    Args:
        run_dir: Run directory.
        split: `"validation"` or `"test"`.
        which: `"best"` (by validation) or `"last"`.
        lengths: Lengths of the sequences.
        report: Callback for a description of each slow step.

    Returns:
        For each length its loss and metrics, with those of each position for a task with targets at
        several steps.

    Raises:
        RunError: If the checkpoint is missing or damaged.
        ConfigError: If the task works at one length only, or a length is out of range.
    """
    arrays = load_checkpoint(run_dir, which).arrays
    run_environment.prepare_keras(run_dir.config)
    found = []
    for length in lengths:
        report(f"evaluating at length {length}")
        task = registry.make(at_length(run_dir.config, length))
        model = task.model()
        model_state.restore_weights(model, arrays)
        entry: dict[str, Any] = {"length": length, **evaluate(task, model, split)}
        if accuracies := accuracy_by_position(task, model, split):
            entry["accuracy_by_position"] = accuracies
            if accuracies[-1] is not None:
                entry["final_accuracy"] = accuracies[-1]
        found.append(entry)
    return found


def accuracy_by_position(task: Task, model: keras.Model, split: Split) -> list[float | None]:
    """Return the accuracy at each time step over a whole split; None where no step has a target.

    Returns:
        T numbers; empty if the targets are not a class at each step.
    """
    correct: Any = 0
    number: Any = 0
    for batch in range(task.num_batches(split)):
        inputs, targets, *_ = task.evaluation_batch(split, batch)
        predictions = np.asarray(model.predict_on_batch(inputs)).argmax(axis=-1)
        if predictions.shape != targets.shape or predictions.ndim != 2:
            return []
        mask = targets >= 0
        correct = correct + ((predictions == targets) & mask).sum(axis=0)
        number = number + mask.sum(axis=0)
    return [float(c / n) if n else None for c, n in zip(correct, number, strict=True)]


def restore_run(
    run_dir: RunDir, split: Split, which: str, dataset: TaskDataset | None = None
) -> tuple[Task, keras.Model, int]:
    """Restore the task and model of a run from a checkpoint.

    Args:
        run_dir: Run directory.
        split: Split of the dataset to load.
        which: `"best"` (by validation) or `"last"`.
        dataset: Dataset from `dataset_binding.for_evaluation`; None: it is loaded if needed.

    Returns:
        Task, model with the weights of the checkpoint, and step of the checkpoint.

    Raises:
        RunError: If the checkpoint is missing or damaged.
        ConfigError: If the dataset is missing or invalid.
    """
    run = run_dir.config
    checkpoint = load_checkpoint(run_dir, which)
    dataset = dataset or dataset_binding.for_evaluation(run_dir, split)
    run_environment.prepare_keras(run)
    task = registry.make(run, dataset)
    model = task.model()
    model_state.restore_weights(model, checkpoint.arrays)
    return task, model, checkpoint.step


def load_checkpoint(run_dir: RunDir, which: str) -> Checkpoint:
    """Load a checkpoint of a run.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.

    Returns:
        The checkpoint.

    Raises:
        RunError: If the checkpoint is missing or damaged.
    """
    checkpoints = run_dir.checkpoints
    try:
        checkpoint = checkpoints.load_best() if which == BEST else checkpoints.load_newest()[0]
    except DamagedError as error:
        raise RunError(f"{error}; try {errors.option('--checkpoint', 'last')}") from error
    if checkpoint is None:
        raise RunError(resume.missing_checkpoint_message(run_dir, which))
    return checkpoint


def baseline_fields(task: Task) -> dict[str, Any]:
    """Return the baseline of a task's monitored metric in the format of `summary.json`."""
    baseline = task.baseline
    return {
        "metric": task.monitor,
        "label": baseline.label,
        "value": baseline.value,
        "target": baseline.target,
        "published": baseline.published,
    }


def check_outcome(task: Task, run_dir: RunDir, split: Split) -> None:
    """Check the result keys of a custom task against the JSON schema before the work begins.

    Args:
        task: Task to check.
        run_dir: Run directory.
        split: Split to be evaluated.

    Raises:
        ConfigError: If a value has another type than the schema defines for its key.
    """
    values = task.derive_metrics({"loss": 1.0, task.metric: 1.0})
    try:
        Evaluation.read(outcome(task, run_dir, split, 0, values))
    except ValidationError as error:
        finding = error.errors()[0]
        key = finding["loc"][0]
        given = errors.shown(finding["input"])
        raise ConfigError(
            f"{type(task).__name__}: {key}: expected {expected(finding)}, got {given}"
        ) from error


def outcome(
    task: Task, run_dir: RunDir, split: Split, step: int, values: dict[str, float]
) -> dict[str, Any]:
    """Return the common keys of `summary.json` and of the output of `rum eval`.

    Args:
        task: Evaluated task.
        run_dir: Run directory.
        split: Evaluated split.
        step: Training step of the weights.
        values: Loss, metric and derived metrics, by name.
    """
    baseline = task.baseline
    monitored = values[task.monitor]
    source = {} if task.source is None else {"data": task.source}
    if task.metric.endswith("accuracy"):
        error = standard_error(values[task.metric], task.num_samples(split))
        values = {**values, "standard_error": error}
    return {
        "task": task.config.task.label,
        "cell": task.config.cell.name,
        **task.summary_fields,
        **source,
        "split": str(split),
        task.sample_unit: task.num_samples(split),
        "weights_of_step": step,
        "metric": task.metric,
        **values,
        "baseline": baseline_fields(task),
        "gap_to_baseline": monitored - baseline.value,
        "normalized_score": baseline.fraction(monitored),
        "beats_baseline": baseline.is_beaten(monitored),
        "folder": str(run_dir.path),
    }
