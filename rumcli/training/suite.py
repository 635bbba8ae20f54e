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
from rumcli.training import dataset_binding as materials
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import CONFIG, RunDir
from rumcli.training.trainer import train

_KEPT = (
    *("accuracy", "standard_error", "loss", "questions", "weights_of_step"),
    *("steps", "seconds", "data"),
)


def _run_of(run: RunConfig, subtask: Subtask) -> RunConfig:
    return run.model_copy(update={"task": subtask.task})


def _folder_of(folder: RunDir, subtask: Subtask) -> RunDir:
    return RunDir(folder.path / subtask.directory)


def train_all(
    run: RunConfig,
    folder: RunDir,
    listener: Callable[[Subtask], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    """Train every unfinished subtask, resuming a stopped one.

    Args:
        run: Configuration with all subtasks.
        folder: Directory of the suite, which holds the run directories of the subtasks.
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
        _finished(run, folder, subtask) or _train_one(run, folder, subtask, listener, request)
        for subtask in run.task.subtasks
    ]
    found = summarize(run, folder, summaries)
    with folder.writing():
        folder.write_json("summary.json", found)
    return found


def check(run: RunConfig, folder: RunDir | None) -> None:
    """Read the data of every unfinished subtask, to report errors before training starts.

    Args:
        run: Configuration with all subtasks.
        folder: Directory of the suite; None if the suite is new.

    Raises:
        ConfigError: If the data of a subtask is missing or invalid.
    """
    for subtask in run.task.subtasks:
        if folder is None or _finished(run, folder, subtask) is None:
            place = _folder_of(folder, subtask) if folder else None
            materials.for_training(_run_of(run, subtask), place)


def summarize(run: RunConfig, folder: RunDir, summaries: list[dict[str, Any]]) -> dict[str, Any]:
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
                **{key: summary[key] for key in _KEPT},
            )
            for subtask, summary in zip(run.task.subtasks, summaries, strict=True)
        ],
        folder=str(folder.path),
    ).to_dict()


def _finished(run: RunConfig, folder: RunDir, subtask: Subtask) -> dict[str, Any] | None:
    summary = _folder_of(folder, subtask).finished(run)
    return summary if summary and set(_KEPT) <= set(summary) else None


def _train_one(
    run: RunConfig,
    folder: RunDir,
    subtask: Subtask,
    listener: Callable[[Subtask], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    one = _run_of(run, subtask)
    path = _folder_of(folder, subtask).path
    output_dirs.check_own(path, "a run keeps its subtasks")
    # Backend state left by earlier models would accumulate over the subtasks.
    keras.backend.clear_session()
    with contextlib.ExitStack() as stack:
        if (path / CONFIG).exists():
            place = RunDir.open(path)
            stack.enter_context(place.held())
            with place.writing():
                place.write_config(one)
        else:
            place = stack.enter_context(RunDir.claim(path, one))
        return train(one, place, listener(subtask), request)
