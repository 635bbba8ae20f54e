"""Runs of all subtasks of a task, each in its own subdirectory.

The parent directory holds the common configuration and, once finished, the suite summary.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import keras

from rumcli import output_dirs
from rumcli.config import RunConfig
from rumcli.json_schemas.results import SubtaskResult, SuiteSummary
from rumcli.signals import StopRequest
from rumcli.tasks.task_config import Subtask
from rumcli.training import dataset_binding
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import CONFIG, RunDir
from rumcli.training.trainer import train

_SUBTASK_KEYS = (
    *("accuracy", "standard_error", "loss", "questions", "weights_of_step"),
    *("steps", "seconds", "data"),
)


def _run_of(run: RunConfig, subtask: Subtask) -> RunConfig:
    return run.model_copy(update={"task": subtask.task})


def _subtask_dir(run_dir: RunDir, subtask: Subtask) -> RunDir:
    return RunDir(run_dir.path / subtask.directory)


def train_all(
    run: RunConfig,
    run_dir: RunDir,
    listener: Callable[[Subtask], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    """Train every unfinished subtask, resuming a stopped one.

    Args:
        run: Configuration with all subtasks.
        run_dir: Directory of the suite, which holds the run directories of the subtasks.
        listener: Factory of the listener for a subtask.
        request: Stop request.

    Returns:
        The suite summary, as in `summary.json`.

    Raises:
        RunStopped: If a signal requested a stop; the state is saved.
        RunError: As in `trainer.train`.
        ConfigError: If the data of a subtask is missing or invalid.
    """
    summaries = [
        _finished(run, run_dir, subtask) or _train_one(run, run_dir, subtask, listener, request)
        for subtask in run.task.subtasks
    ]
    summary = summarize(run, run_dir, summaries)
    with run_dir.writing():
        run_dir.write_json("summary.json", summary)
    return summary


def check(run: RunConfig, run_dir: RunDir | None) -> None:
    """Read the data of every unfinished subtask, to report errors before training starts.

    Args:
        run: Configuration with all subtasks.
        run_dir: Directory of the suite; None if the suite is new.

    Raises:
        ConfigError: If the data of a subtask is missing or invalid.
    """
    for subtask in run.task.subtasks:
        if run_dir is None or _finished(run, run_dir, subtask) is None:
            subtask_dir = _subtask_dir(run_dir, subtask) if run_dir else None
            dataset_binding.for_training(_run_of(run, subtask), subtask_dir)


def summarize(run: RunConfig, run_dir: RunDir, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Combine the summaries of all subtasks into the suite summary."""
    accuracies = [summary["accuracy"] for summary in summaries]
    return SuiteSummary(
        task=run.task.label,
        cell=run.cell.name,
        steps=run.train.steps,
        seconds=round(sum(summary["seconds"] for summary in summaries), 3),
        split=summaries[0]["split"],
        mean_accuracy=sum(accuracies) / len(accuracies),
        standard_error=math.hypot(*(summary["standard_error"] for summary in summaries))
        / len(accuracies),
        **run.task.suite_fields(accuracies),
        subtasks=[
            SubtaskResult(
                subtask=subtask.number,
                name=subtask.name,
                majority=summary["baseline"]["value"],
                **{key: summary[key] for key in _SUBTASK_KEYS},
            )
            for subtask, summary in zip(run.task.subtasks, summaries, strict=True)
        ],
        folder=str(run_dir.path),
    ).to_dict()


def _finished(run: RunConfig, run_dir: RunDir, subtask: Subtask) -> dict[str, Any] | None:
    summary = _subtask_dir(run_dir, subtask).finished(run)
    return summary if summary and set(_SUBTASK_KEYS) <= set(summary) else None


def _train_one(
    run: RunConfig,
    run_dir: RunDir,
    subtask: Subtask,
    listener: Callable[[Subtask], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    subtask_run = _run_of(run, subtask)
    path = _subtask_dir(run_dir, subtask).path
    output_dirs.check_own(path, "a run keeps its subtasks")
    # Backend state left by earlier models would accumulate over the subtasks.
    keras.backend.clear_session()
    with contextlib.ExitStack() as stack:
        if (path / CONFIG).exists():
            subtask_dir = RunDir.open(path)
            stack.enter_context(subtask_dir.held())
            with subtask_dir.writing():
                subtask_dir.write_config(subtask_run)
        else:
            subtask_dir = stack.enter_context(RunDir.claim(path, subtask_run))
        return train(subtask_run, subtask_dir, listener(subtask), request)
