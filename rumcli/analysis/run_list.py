"""The runs in directories and their states, read without a lock and without Keras."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rumcli.analysis import comparison
from rumcli.config import ALL, BabiConfig
from rumcli.errors import RumError
from rumcli.jobs.events import FAILED, Job
from rumcli.jobs.folder import JobFolder
from rumcli.json_schemas.analysis import ListedRun, RunState
from rumcli.training import lock
from rumcli.training.run_dir import CONFIG, METRICS, PROGRESS, RunDir

_DEEPEST = 3  # levels of directories, such as those of sweeps within a directory
# Any progress of a run changes one of these.
_CHANGING = (CONFIG, METRICS, PROGRESS, "summary.json")


def find(place: Path) -> Iterator[Path]:
    """Yield the run directories in a directory, including those of sweeps and tables in it.

    A run of all bAbI subtasks counts as one run.

    Args:
        place: Directory to search. A run directory yields itself.
    """
    yield from _find(place, _DEEPEST)


def _find(place: Path, depth: int) -> Iterator[Path]:
    try:
        is_run = (place / CONFIG).is_file() or RunDir.is_unbegun(place)
        inside = sorted(path for path in place.iterdir() if path.is_dir() and depth > 0)
    except OSError:  # such as a directory without read permission
        return
    if is_run:
        yield place
        return
    for path in inside:
        if not path.is_symlink() and not path.name.startswith("."):
            yield from _find(path, depth - 1)


def listed(paths: Sequence[Path]) -> tuple[list[ListedRun], list[str]]:
    """Return the readable runs, and the error messages of the others.

    Args:
        paths: Run directories.

    Returns:
        Runs in the order of their latest change, and one message for each unreadable run.
    """
    runs, reasons = [], []
    for path in paths:
        try:
            runs.append(_listed(path))
        except (RumError, OSError) as error:
            reasons.append(str(error))
    return sorted(runs, key=lambda run: run.changed), reasons


def _listed(path: Path) -> ListedRun:
    changed = _changed(path)
    common: dict[str, Any] = {
        "folder": str(path),
        "changed": datetime.datetime.fromtimestamp(changed, datetime.UTC).isoformat(
            timespec="milliseconds"
        ),
        "age": max(0.0, time.time() - changed),
    }
    unknown: dict[str, Any] = dict.fromkeys(
        ("task", "cell", "of_steps", "metric", "value", "split", "baseline")
    )
    if RunDir.is_unbegun(path):
        state: RunState = "running" if lock.state(path) == lock.HELD else "unbegun"
        return ListedRun(**common, **unknown, state=state, message="", steps=0)
    folder = RunDir.open(path)
    (group,) = comparison.compare([folder])
    (run,) = group.runs
    state, message = _state(folder, run.finished)
    return ListedRun(
        **common,
        state=state,
        message=message,
        task=group.task,
        cell=run.cell,
        steps=max(run.steps, _saved_step(folder)),
        of_steps=run.of_steps,
        metric=group.metric,
        value=run.value,
        split=run.split,
        baseline=run.baseline,
    )


def _state(folder: RunDir, has_summary: bool) -> tuple[RunState, str]:
    locked = lock.state(folder.path)
    if locked == lock.HELD:
        return "running", ""
    run = folder.config
    # `finished` does not support the summary of all subtasks.
    is_suite = isinstance(run.task, BabiConfig) and run.task.subtask == ALL
    if folder.finished(run) or (has_summary and is_suite):
        return "finished", ""
    if locked == lock.ABANDONED:
        return "failed", "its process ended without saving"
    # The directory around it may be a sweep's.
    mark = JobFolder(folder.path.parent).mark_of(Job(folder.path.name, seed=0))
    if mark is None:
        return "stopped", ""
    return "failed" if mark.state == FAILED else "stopped", mark.message


def _saved_step(folder: RunDir) -> int:
    found = folder.read_json(PROGRESS)
    step = found.get("step") if isinstance(found, dict) else None
    return step if type(step) is int and step >= 0 else 0


def _changed(path: Path) -> float:
    """Return the time of the latest change of a run, in seconds since the epoch."""
    times = []
    subtasks = path.glob(f"qa*/{METRICS}")  # of a run of all subtasks
    for place in [*(path / name for name in _CHANGING), *subtasks]:
        try:
            times.append(place.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=path.stat().st_mtime)
