"""Comparison of runs by their metrics and by the settings in which they differ. No Keras."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rumcli import config
from rumcli.config import ALL, BabiConfig, RunConfig
from rumcli.json_schemas.analysis import (
    ComparedBaseline,
    ComparedRun,
    ComparedRuns,
    EvaluatedSplit,
)
from rumcli.training.run_dir import RunDir

# Metric of a summary of all bAbI subtasks.
_MEAN = "mean_accuracy"


def compare(folders: Sequence[RunDir]) -> list[ComparedRuns]:
    """Compare runs in one group for each task, in the order of their first run.

    Args:
        folders: Run directories.

    Returns:
        Groups of runs; in each group the best run comes first.

    Raises:
        ConfigError: If the configuration of a run can't be read.
    """
    groups: dict[str, list[_Run]] = {}
    for folder in folders:
        run = _Run.read(folder)
        groups.setdefault(run.kind, []).append(run)
    return [_group(kind, runs) for kind, runs in groups.items()]


@dataclass(frozen=True)
class _Run:
    """Content of a run directory."""

    folder: RunDir
    config: RunConfig
    summary: Mapping[str, Any]
    plan: Mapping[str, Any]
    records: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: RunDir) -> _Run:
        summary, plan = folder.read_json("summary.json"), folder.read_json("plan.json")
        return cls(
            folder,
            folder.config,
            summary if isinstance(summary, dict) else {},
            plan if isinstance(plan, dict) else {},
            [record for record in folder.records() if isinstance(record, dict)],
        )

    @property
    def kind(self) -> str:
        task = self.config.task
        is_all = isinstance(task, BabiConfig) and task.subtask == ALL
        return f"{task.name}, all subtasks" if is_all else task.name

    @property
    def baseline(self) -> tuple[str, ComparedBaseline] | None:
        """The monitored metric and its baseline; None if they are unknown."""
        found = self.folder.baseline
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
    references = [run.baseline for run in runs]
    metric, known = next((found for found in references if found), (_guess(runs), None))
    higher = known.target > known.value if known else metric.endswith("accuracy")
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
        folder=str(run.folder.path),
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


def _guess(runs: list[_Run]) -> str:
    """Return the monitored metric of runs without `plan.json`, as found in their records."""
    names = {name for run in runs for record in run.records for name in record}
    names |= {f"val_{name}" for run in runs for name in run.summary}
    known = (_MEAN, "bits_per_character", "accuracy")
    return next((name for name in known if f"val_{name}" in names), "loss")


def _rank(value: float | None, higher: bool) -> tuple[bool, float]:
    if value is None:
        return True, 0.0
    return False, -value if higher else value


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
