"""Training run, from the configuration to the summary.

The loop is `Model.fit`. One Keras epoch is a span: the steps from one evaluation to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import tree

from rumcli import parsing
from rumcli.config import RunConfig, Split
from rumcli.errors import ConfigError
from rumcli.json_schemas.results import Summary
from rumcli.models.builders import count_weights
from rumcli.signals import StopRequest
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training import (
    dataset_binding,
    loggers,
    model_state,
    requirements,
    resume,
    run_environment,
    user_callbacks,
)
from rumcli.training.callback import RunCallback, RunStopped, TrainState
from rumcli.training.checkpoint import DamagedError
from rumcli.training.data_pipeline import evaluation_batches, training_batches
from rumcli.training.evaluation import baseline_fields, check_outcome, evaluate, outcome
from rumcli.training.listeners import Listener, RunInfo
from rumcli.training.process_group import ALONE, ProcessGroup
from rumcli.training.requirements import Threshold
from rumcli.training.run_dir import RunDir
from rumcli.training.run_files import SavedProgress
from rumcli.training.user_callbacks import UserCallback


def train(
    run: RunConfig,
    run_dir: RunDir,
    listener: Listener,
    request: StopRequest | None = None,
    dataset: TaskDataset | None = None,
    thresholds: Sequence[Threshold] = (),
    group: ProcessGroup = ALONE,
) -> dict[str, Any]:
    """Train for `run.train.steps` steps, or until a validation meets `run.train.until`.

    A run with a checkpoint resumes from the newest one.

    Args:
        run: Configuration of the run.
        run_dir: Run directory. In a process group, all but process 0 pass a `NullRunDir`.
        listener: Listener for the events of the run.
        request: Stop request, checked after each step; None if the run cannot be stopped.
        dataset: Dataset from `dataset_binding.for_training`; None: it is loaded if needed.
        thresholds: Thresholds on the summary. Their metric names are checked before the first step.
        group: Processes that train the model together.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        RunStopped: If a signal requested a stop; the state is saved.
        RunError: If the loss or gradient is not finite, memory runs out, a file cannot be
            written, or the checkpoints are missing or all damaged.
        ConfigError: If the dataset is missing or invalid, a metric is unknown, or the machine has
            too little memory.
    """
    request = request or StopRequest()
    dataset = dataset or dataset_binding.for_training(run, run_dir)
    run_environment.prepare_keras(run)
    task = registry.make(run, dataset)
    check_outcome(task, run_dir, Split.TEST)
    requirements.check_names(
        thresholds, [*requirements.result_metrics(task), *requirements.TRAINING_METRICS]
    )
    if run.train.until is not None:
        until = parsing.parse_threshold(run.train.until)
        metrics = requirements.validation_metrics(task)
        requirements.check_names([until], metrics, key="train.until")
    callbacks = user_callbacks.make(run.train.callbacks)
    run_environment.check_memory(task, None)
    with run_environment.translate_oom(task, None):
        model = task.model()
    run_environment.check_memory(task, model, group.count)
    with loggers.attached(listener, run_dir, run if group.rank == 0 else None) as listener:
        progress = _resume(task, model, run_dir, listener, group)
        with run_dir.writing():
            is_done = progress.is_over or progress.step == run.train.steps
            environment = run_environment.describe_environment(run.seed)
            environment |= {"devices": group.devices, "processes": group.count}
            run_dir.begin(environment, finished=is_done)
            run_dir.write_json("plan.json", _plan_fields(task, model))
            dataset_binding.write_metadata(dataset, run_dir)
        listener.started(_run_info(task, model, progress, run_dir))
        callback = RunCallback(task, run_dir, progress, listener, request, group)
        user_defined = [UserCallback(*one, progress, run_dir) for one in callbacks]
        # The user's callbacks come first, so that a checkpoint includes their changes.
        _fit(task, model, progress, [*user_defined, callback], request, group)
        for one in user_defined:
            one.finish()
        listener.testing()
        summary = _finish(task, model, run_dir, progress, listener, group)
        listener.finished(summary)
        return summary


def _fit(
    task: Task,
    model: keras.Model,
    progress: TrainState,
    callbacks: Sequence[keras.callbacks.Callback],
    request: StopRequest,
    group: ProcessGroup,
) -> None:
    """Train the remaining steps, or until `progress.is_over`."""
    config = task.config.train
    validation = evaluation_batches(task, Split.VALIDATION, group)
    for part in _parts(progress.step, config.steps, config.eval_every):
        if progress.is_over:
            break
        signal = group.agree(request.signal)
        if signal is not None:  # before the first step
            raise RunStopped(progress.step, signal)
        epoch = part.first_step // config.eval_every
        with run_environment.translate_oom(task, model):
            model.fit(
                training_batches(task, part.first_step, group),
                steps_per_epoch=part.span,
                initial_epoch=epoch,
                epochs=epoch + part.spans,
                validation_data=validation,
                callbacks=list(callbacks),
                shuffle=False,
                verbose=0,
            )


@dataclass(frozen=True)
class Part:
    """Consecutive spans of equal length for one call of `fit`.

    Attributes:
        first_step: Number of steps done before.
        span: Steps per span.
        spans: Number of spans.
    """

    first_step: int
    span: int
    spans: int


def _parts(step: int, last_step: int, eval_every: int) -> Iterator[Part]:
    """Split the remaining steps into the rest of a span, whole spans, and a partial span."""
    boundary = min(-(-step // eval_every) * eval_every, last_step)
    if boundary > step:
        yield Part(step, boundary - step, 1)
    whole = (last_step - boundary) // eval_every
    if whole > 0:
        yield Part(boundary, eval_every, whole)
    boundary += whole * eval_every
    if last_step > boundary:
        yield Part(boundary, last_step - boundary, 1)


def _resume(
    task: Task, model: keras.Model, run_dir: RunDir, listener: Listener, group: ProcessGroup
) -> TrainState:
    checkpoint, warnings = resume.load(run_dir)
    for warning in warnings:
        listener.warned(warning)
    backups = None if checkpoint is None else checkpoint.records
    checkpoint = group.broadcast_checkpoint(checkpoint)
    if group.count > 1:
        first = tree.flatten(task.training_batch(checkpoint.step if checkpoint else 0))
        advice = "; expected the same files on every host"
        group.check_equal(first, "the training data", advice, ConfigError)
    if checkpoint is None:
        with run_dir.writing():
            run_dir.rewind_records(0)
        return TrainState()
    # Keras creates the variables of metrics at the first batch; they must exist to be restored.
    model.evaluate(evaluation_batches(task, Split.VALIDATION, group), steps=1, verbose=0)
    model_state.restore(model, checkpoint.arrays)
    with run_dir.writing():
        for warning in run_dir.rewind_records(checkpoint.step, backups):
            listener.warned(warning)
    return TrainState(
        step=checkpoint.step,
        **SavedProgress.model_validate(checkpoint.progress).model_dump(),
        running_metrics=model_state.metrics_among(checkpoint.arrays),
    )


def _run_info(task: Task, model: keras.Model, progress: TrainState, run_dir: RunDir) -> RunInfo:
    return RunInfo(
        task=task.config.task.label,
        cell=task.config.cell.name,
        parameters=count_weights(model),
        first_step=progress.step,
        steps=task.config.train.steps,
        metric=task.metric,
        monitor=task.monitor,
        baseline=task.baseline,
        steps_per_epoch=task.steps_per_epoch,
        folder=str(run_dir.path),
    )


def _plan_fields(task: Task, model: keras.Model) -> dict[str, Any]:
    """Return the content of `plan.json`: the facts known before the first step."""
    return {
        "task": task.config.task.label,
        "cell": task.config.cell.name,
        "parameters": count_weights(model),
        "metric": task.metric,
        "baseline": baseline_fields(task),
    }


def _finish(
    task: Task,
    model: keras.Model,
    run_dir: RunDir,
    progress: TrainState,
    listener: Listener,
    group: ProcessGroup,
) -> dict[str, Any]:
    """Evaluate the best weights on the test split and write the summary."""
    weights_of = progress.step
    try:
        best = run_dir.checkpoints.load_best()
        if best is None and progress.best is not None:
            listener.warned(
                f"{run_dir.checkpoints.path}/best.npz is missing; "
                "the last weights are tested instead"
            )
    except DamagedError as error:
        listener.warned(f"{error}; the last weights are tested instead")
        best = None
    best = group.broadcast_checkpoint(best)
    if best is not None:
        model_state.restore_weights(model, best.arrays)
        weights_of = best.step
    values = evaluate(task, model, Split.TEST, group)
    summary = Summary.read(
        {
            **outcome(task, run_dir, Split.TEST, weights_of, values),
            "parameters": count_weights(model),
            "steps": progress.step,
            "seconds": round(progress.seconds, 3),
            "until_met": task.config.train.until if progress.until_met else None,
            "stopped_by": progress.stopped_by,
            "skipped_steps": progress.skipped,
        }
    ).to_dict()
    with run_dir.writing():
        run_dir.write_json("summary.json", summary)
    return summary
