"""Listing, comparison and report of several runs. Does not import Keras.

Runs are compared by their metrics and by the settings in which they differ. The list reads the
state of each run without a lock.
"""

from __future__ import annotations

import datetime
import math
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rumcli import backends, config
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RumError
from rumcli.jobs.job_folder import JobFolder
from rumcli.jobs.job_spec import FAILED, Job
from rumcli.json_schemas.analysis import (
    ComparedBaseline,
    ComparedRun,
    ComparedRuns,
    EvaluatedSplit,
    ListedRun,
    Report,
    ReportedRun,
    RunState,
)
from rumcli.tasks.baseline import standard_error
from rumcli.training import lock
from rumcli.training.run_dir import CONFIG, METRICS, PROGRESS, RunDir

# Metric of a summary of all subtasks.
_MEAN = "mean_accuracy"

# Keys of a summary that hold the number of predictions in the accuracy.
_SAMPLE_UNITS = ("examples", "questions")
# Keys of `environment.json` that describe neither the machine nor the versions.
_NOT_ENVIRONMENT = ("seed", "command", "resumed")

_MAX_DEPTH = 3  # levels of directories, such as those of sweeps within a directory
# Progress of a run changes at least one of these files.
_PROGRESS_FILES = (CONFIG, METRICS, PROGRESS, "summary.json")


def compare(run_dirs: Sequence[RunDir]) -> list[ComparedRuns]:
    """Compare runs in one group for each task, in the order of their first run.

    Args:
        run_dirs: Run directories.

    Returns:
        Groups of runs; in each group the best run comes first.

    Raises:
        ConfigError: If the configuration of a run can't be read.
    """
    groups: dict[str, list[_Run]] = {}
    for run_dir in run_dirs:
        run = _Run.read(run_dir)
        groups.setdefault(run.kind, []).append(run)
    return [_group(kind, runs) for kind, runs in groups.items()]


@dataclass(frozen=True)
class _Run:
    """Content of a run directory."""

    run_dir: RunDir
    config: RunConfig
    summary: Mapping[str, Any]
    plan: Mapping[str, Any]
    records: list[dict[str, Any]]

    @classmethod
    def read(cls, run_dir: RunDir) -> _Run:
        plan = run_dir.read_json("plan.json")
        return cls(
            run_dir,
            run_dir.config,
            run_dir.summary() or run_dir.suite_summary() or {},
            plan if isinstance(plan, dict) else {},
            [record for record in run_dir.records() if isinstance(record, dict)],
        )

    @property
    def kind(self) -> str:
        task = self.config.task
        return f"{task.label}, all subtasks" if task.subtasks else task.label

    @property
    def baseline(self) -> tuple[str, ComparedBaseline] | None:
        """The monitored metric and its baseline; None if they are unknown."""
        found = self.run_dir.baseline
        try:
            levels = [float(found[name]) for name in ("value", "target")] if found else []
            if found and levels[0] != levels[1]:
                return str(found["metric"]), ComparedBaseline(
                    label=str(found["label"]),
                    value=levels[0],
                    target=levels[1],
                    published=None,
                )
        except (KeyError, TypeError, ValueError):
            pass
        return None

    def best(
        self, metric: str, higher: bool
    ) -> tuple[float | None, EvaluatedSplit | None, int | None]:
        """Return the best value of a metric, its split, and the training step of the weights."""
        tested = _number(self.summary.get(metric))
        if tested is not None:
            return tested, "test", _count(self.summary.get("weights_of_step"))
        found = [
            (value, _count(record.get("step")))
            for record in self.records
            if (value := _number(record.get(f"val_{metric}"))) is not None
        ]
        if not found:
            return None, None, None
        best = max(found, key=lambda pair: pair[0] if higher else -pair[0])
        return best[0], "validation", best[1]


def _group(kind: str, runs: list[_Run]) -> ComparedRuns:
    baselines = [run.baseline for run in runs]
    metric, baseline = next((found for found in baselines if found), (_guess_metric(runs), None))
    higher = baseline.target > baseline.value if baseline else metric.endswith("accuracy")
    differing = config.varying([run.config for run in runs])
    varying = {".".join(key): values for key, values in differing.items()}
    compared = [
        _compared(run, metric, higher, {key: values[number] for key, values in varying.items()})
        for number, run in enumerate(runs)
    ]
    compared.sort(key=lambda run: _rank(run.value, higher))
    return ComparedRuns(
        task=kind,
        metric=metric,
        higher_is_better=higher,
        differences=list(varying),
        runs=compared,
    )


def _compared(run: _Run, metric: str, higher: bool, settings: dict[str, Any]) -> ComparedRun:
    value, split, step = run.best(metric, higher)
    last = run.records[-1] if run.records else {}
    monitored, baseline = run.baseline or (None, None)
    if monitored != metric:
        baseline = None
    done = run.summary.get("steps", last.get("step"))
    parameters = run.summary.get("parameters", run.plan.get("parameters"))
    return ComparedRun(
        folder=str(run.run_dir.path),
        cell=run.config.cell.name,
        finished=bool(run.summary),
        steps=_count(done) or 0,
        of_steps=run.config.train.steps,
        seconds=_number(run.summary.get("seconds", last.get("seconds"))),
        parameters=_count(parameters),
        value=value,
        split=split,
        weights_of_step=step,
        baseline=baseline,
        gap_to_baseline=None if baseline is None or value is None else value - baseline.value,
        settings=settings,
    )


def _guess_metric(runs: list[_Run]) -> str:
    """Return the monitored metric of runs without `plan.json`, as found in their records."""
    names = {name for run in runs for record in run.records for name in record}
    names |= {f"val_{name}" for run in runs for name in run.summary}
    candidates = (_MEAN, "bits_per_character", "accuracy")
    return next((name for name in candidates if f"val_{name}" in names), "loss")


def _rank(value: float | None, higher: bool) -> tuple[bool, float]:
    if value is None:
        return True, 0.0
    return False, -value if higher else value


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def report_runs(run_dirs: Sequence[RunDir], labels: Sequence[str], path: str | None) -> Report:
    """Collect the content of a report.

    Args:
        run_dirs: Run directories.
        labels: Label of each run.
        path: Path of the page to write; None for no page.

    Raises:
        ConfigError: If the runs are of different tasks, or a configuration can't be read.
    """
    groups = compare(run_dirs)
    if len(groups) > 1:
        found = " and ".join(f"{group.task} ({len(group.runs)})" for group in groups)
        raise ConfigError(f"the runs belong to different tasks: {found}; expected runs of one task")
    (group,) = groups
    by_path = {
        str(run_dir.path): (run_dir, label) for run_dir, label in zip(run_dirs, labels, strict=True)
    }
    return Report(
        task=group.task,
        metric=group.metric,
        higher_is_better=group.higher_is_better,
        differences=group.differences,
        runs=[_reported_run(group, run, *by_path[run.folder]) for run in group.runs],
        path=path,
    )


def _reported_run(
    group: ComparedRuns, run: ComparedRun, run_dir: RunDir, label: str
) -> ReportedRun:
    count = (
        _count_of_report(run_dir) if group.metric == "accuracy" and run.split == "test" else None
    )
    environment = run_dir.read_json("environment.json")
    validations = [record.get(f"val_{group.metric}") for record in run_dir.records()]
    config_file = shlex.quote(str(run_dir.path / CONFIG))
    trust = " --trust-code" if run_dir.config.code(training=True) else ""
    return ReportedRun(
        **{name: getattr(run, name) for name in ComparedRun.model_fields},
        label=label,
        count=count,
        standard_error=None if count is None else standard_error(run.value or 0.0, count),
        validations=[value for value in validations if value is not None],
        environment=_environment(environment if isinstance(environment, dict) else {}),
        command=f"rum train --preset {config_file}{trust}",
    )


def _count_of_report(run_dir: RunDir) -> int | None:
    summary = run_dir.summary() or {}
    return next((summary[name] for name in _SAMPLE_UNITS if summary.get(name)), None)


def _environment(found: dict[str, Any]) -> dict[str, Any]:
    unused = set(backends.TITLES) - {found.get("backend")}
    return {
        key: value
        for key, value in found.items()
        if key not in (*_NOT_ENVIRONMENT, *unused) and value not in (None, [])
    }


def find_runs(place: Path) -> Iterator[Path]:
    """Yield the run directories in a directory, including those of sweeps and tables in it.

    A run of all subtasks of a task counts as one run.

    Args:
        place: Directory to search. A run directory yields itself.
    """
    yield from _find(place, _MAX_DEPTH)


def _find(place: Path, depth: int) -> Iterator[Path]:
    try:
        is_run = (place / CONFIG).is_file() or RunDir.is_not_started(place)
        inside = sorted(path for path in place.iterdir() if path.is_dir() and depth > 0)
    except OSError:  # such as a directory without read permission
        return
    if is_run:
        yield place
        return
    for path in inside:
        if not path.is_symlink() and not path.name.startswith("."):
            yield from _find(path, depth - 1)


def list_runs(paths: Sequence[Path]) -> tuple[list[ListedRun], list[str]]:
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


def newest_unfinished(place: Path) -> Path | None:
    """Return the run in a directory that can be resumed and changed last; None without one.

    Args:
        place: Directory of runs.
    """
    runs, _ = list_runs(list(find_runs(place)))
    resumable = [run.folder for run in runs if run.state in ("stopped", "failed")]
    return Path(resumable[-1]) if resumable else None


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
    if RunDir.is_not_started(path):
        state: RunState = "running" if lock.state(path) == lock.HELD else "not started"
        return ListedRun(**common, **unknown, state=state, message="", steps=0)
    run_dir = RunDir.open(path)
    (group,) = compare([run_dir])
    (run,) = group.runs
    state, message = _state(run_dir, run.finished)
    return ListedRun(
        **common,
        state=state,
        message=message,
        task=group.task,
        cell=run.cell,
        steps=max(run.steps, _saved_step(run_dir)),
        of_steps=run.of_steps,
        metric=group.metric,
        value=run.value,
        split=run.split,
        baseline=run.baseline,
    )


def _state(run_dir: RunDir, has_summary: bool) -> tuple[RunState, str]:
    locked = lock.state(run_dir.path)
    if locked == lock.HELD:
        return "running", ""
    run = run_dir.config
    # `finished` does not support the summary of all subtasks.
    if run_dir.finished(run) or (has_summary and run.task.subtasks):
        return "finished", ""
    if locked == lock.ABANDONED:
        return "failed", "its process ended without saving"
    # The directory around it may be a sweep's.
    mark = JobFolder(run_dir.path.parent).mark_of(Job(run_dir.path.name, seed=0))
    if mark is None:
        return "stopped", ""
    return "failed" if mark.state == FAILED else "stopped", mark.message


def _saved_step(run_dir: RunDir) -> int:
    found = run_dir.read_json(PROGRESS)
    step = found.get("step") if isinstance(found, dict) else None
    return step if type(step) is int and step >= 0 else 0


def _changed(path: Path) -> float:
    """Return the time of the latest change of a run, in seconds since the epoch."""
    times = []
    subtasks = path.glob(f"*/{METRICS}")  # of a run of all subtasks
    for place in [*(path / name for name in _PROGRESS_FILES), *subtasks]:
        try:
            times.append(place.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=path.stat().st_mtime)
