"""Suite of the twenty bAbI subtasks: one run per subtask, each in its own subdirectory.

The parent directory holds the common configuration and, once finished, the suite summary.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import keras

from rumcli import output_dirs
from rumcli.config import BabiConfig, RunConfig
from rumcli.json_schemas.results import SubtaskResult, SuiteSummary
from rumcli.signals import StopRequest
from rumcli.tasks.babi.stories import SUBTASKS, subtask_name
from rumcli.training import dataset_binding as materials
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import CONFIG, RunDir
from rumcli.training.trainer import train

PASSED = 0.95  # accuracy at which a subtask counts as passed: arXiv:1502.05698
_KEPT = (
    *("accuracy", "standard_error", "loss", "questions", "weights_of_step"),
    *("steps", "seconds", "data"),
)
# Mean accuracies over the twenty subtasks, with one word-level model per subtask:
# arXiv:1710.09537, section 4.3 (unverified). The often-quoted 49.2 % of an LSTM is for 1,000
# training questions (arXiv:1502.05698), not 10,000.
PUBLISHED = {"GORU": 0.60, "RUM": 0.732}


def of_subtask(run: RunConfig, number: int) -> RunConfig:
    """Return the configuration of one subtask."""
    return run.model_copy(update={"task": run.task.model_copy(update={"subtask": number})})


def folder_of(folder: RunDir, number: int) -> RunDir:
    """Return the run directory of one subtask."""
    return RunDir(folder.path / f"qa{number}")


def train_all(
    run: RunConfig,
    folder: RunDir,
    listener: Callable[[int], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    """Train every unfinished subtask, resuming a stopped one.

    Args:
        run: Configuration of bAbI with all subtasks.
        folder: Directory of the suite, which holds the run directories of the subtasks.
        listener: Factory of the listener for a subtask number.
        request: Stop request.

    Returns:
        The suite summary, as in `summary.json`.

    Raises:
        RunStopped: If a signal requested a stop; the state is saved.
        RunError: As in `trainer.train`.
        ConfigError: If the stories of a subtask are missing or invalid.
    """
    summaries = [
        _finished(run, folder, number) or _train_one(run, folder, number, listener, request)
        for number in SUBTASKS
    ]
    found = summarize(run, folder, summaries)
    with folder.writing():
        folder.write_json("summary.json", found)
    return found


def check(run: RunConfig, folder: RunDir | None) -> None:
    """Read the stories of every unfinished subtask, to report errors before training starts.

    Args:
        run: Configuration of bAbI with all subtasks.
        folder: Directory of the suite; None if the suite is new.

    Raises:
        ConfigError: If the stories of a subtask are missing or invalid.
    """
    for number in SUBTASKS:
        if folder is None or _finished(run, folder, number) is None:
            place = folder_of(folder, number) if folder else None
            materials.for_training(of_subtask(run, number), place)


def summarize(run: RunConfig, folder: RunDir, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """Combine the summaries of all subtasks into the suite summary."""
    accuracies = [summary["accuracy"] for summary in summaries]
    assert isinstance(run.task, BabiConfig)
    return SuiteSummary(
        task=run.task.name,
        cell=run.cell.name,
        steps=run.train.steps,
        seconds=round(sum(summary["seconds"] for summary in summaries), 3),
        split=summaries[0]["split"],
        mean_accuracy=sum(accuracies) / len(accuracies),
        standard_error=math.hypot(*(summary["standard_error"] for summary in summaries))
        / len(accuracies),
        passed=sum(accuracy >= PASSED for accuracy in accuracies),
        passed_from=PASSED,
        published_means=PUBLISHED,
        subtasks=[
            SubtaskResult(
                subtask=number,
                name=subtask_name(number),
                majority=summary["baseline"]["value"],
                **{key: summary[key] for key in _KEPT},
            )
            for number, summary in zip(SUBTASKS, summaries, strict=True)
        ],
        folder=str(folder.path),
    ).to_dict()


def _finished(run: RunConfig, folder: RunDir, number: int) -> dict[str, Any] | None:
    summary = folder_of(folder, number).finished(run)
    return summary if summary and set(_KEPT) <= set(summary) else None


def _train_one(
    run: RunConfig,
    folder: RunDir,
    number: int,
    listener: Callable[[int], Listener],
    request: StopRequest,
) -> dict[str, Any]:
    one = of_subtask(run, number)
    path = folder_of(folder, number).path
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
        return train(one, place, listener(number), request)
