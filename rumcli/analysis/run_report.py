"""Content of a report on runs of one task. No Keras."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from typing import Any

from rumcli import backends
from rumcli.analysis import comparison
from rumcli.errors import ConfigError
from rumcli.json_schemas.analysis import ComparedRun, ComparedRuns, Report, ReportedRun
from rumcli.training.run_dir import CONFIG, RunDir

# Keys of a summary: number of predictions that the accuracy is averaged over.
_COUNTED = ("examples", "questions")
# Keys of `environment.json` that describe neither the machine nor the versions.
_OTHER = ("seed", "command", "resumed")


def report(folders: Sequence[RunDir], labels: Sequence[str], path: str | None) -> Report:
    """Collect the content of a report.

    Args:
        folders: Run directories.
        labels: Label of each run.
        path: Path of the page to write; None for no page.

    Raises:
        ConfigError: If the runs are of different tasks, or a configuration can't be read.
    """
    groups = comparison.compare(folders)
    if len(groups) > 1:
        found = " and ".join(f"{group.task} ({len(group.runs)})" for group in groups)
        raise ConfigError(f"the runs are of different tasks: {found}; expected runs of one task")
    (group,) = groups
    by_path = {
        str(folder.path): (folder, label) for folder, label in zip(folders, labels, strict=True)
    }
    return Report(
        task=group.task,
        metric=group.metric,
        higher_is_better=group.higher_is_better,
        differences=group.differences,
        runs=[_run(group, run, *by_path[run.folder]) for run in group.runs],
        path=path,
    )


def standard_error(accuracy: float, count: int) -> float:
    """Return the binomial standard error of an accuracy.

    Args:
        accuracy: Accuracy, in [0, 1].
        count: Number of independent examples.
    """
    return math.sqrt(max(0.0, accuracy * (1 - accuracy)) / count)


def _run(group: ComparedRuns, run: ComparedRun, folder: RunDir, label: str) -> ReportedRun:
    count = _count(folder) if group.metric == "accuracy" and run.split == "test" else None
    environment = folder.read_json("environment.json")
    validations = [record.get(f"val_{group.metric}") for record in folder.records()]
    config_file = shlex.quote(str(folder.path / CONFIG))
    trust = " --trust-code" if folder.config.code(training=True) else ""
    return ReportedRun(
        **{name: getattr(run, name) for name in ComparedRun.model_fields},
        label=label,
        count=count,
        standard_error=None if count is None else standard_error(run.value or 0.0, count),
        validations=[value for value in validations if value is not None],
        environment=_environment(environment if isinstance(environment, dict) else {}),
        command=f"rum train --preset {config_file}{trust}",
    )


def _count(folder: RunDir) -> int | None:
    summary = folder.summary() or {}
    return next((summary[name] for name in _COUNTED if summary.get(name)), None)


def _environment(found: dict[str, Any]) -> dict[str, Any]:
    unused = set(backends.TITLES) - {found.get("backend")}
    return {
        key: value
        for key, value in found.items()
        if key not in (*_OTHER, *unused) and value not in (None, [])
    }
