"""A benchmark's result as one document for other programs, and the machine that it is about."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from typing import Any

import keras

from rumcli import machine as machine_facts
from rumcli.benchmark.cases import Case
from rumcli.benchmark.measure import Timing, yardstick
from rumcli.benchmark.training import Pace
from rumcli.training import accelerators


@dataclasses.dataclass(frozen=True)
class Point:
    """The timings of one size; in a series, `axis` (`"steps"` or `"units"`) says along what."""

    case: Case
    timings: list[Timing]
    axis: str | None = None


def machine() -> dict[str, Any]:
    """Return processor, number of cores, accelerators, backend and versions."""
    backend = keras.backend.backend()
    return {
        "processor": machine_facts.processor(),
        "cores": os.cpu_count(),
        "accelerators": accelerators.names(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "backend": backend,
        "keras": keras.version(),
        backend: importlib.metadata.version(backend),
    }


def document(points: list[Point], paces: Sequence[Pace] = ()) -> dict[str, Any]:
    """Return everything that was measured, in seconds and bytes."""
    return {
        "machine": machine(),
        "cases": [_point(point) for point in points if point.axis is None],
        "series": [
            {"axis": point.axis, **_point(point)} for point in points if point.axis is not None
        ],
        "training": [{**dataclasses.asdict(pace), "ratio": pace.ratio} for pace in paces],
    }


def _point(point: Point) -> dict[str, Any]:
    best = yardstick(point.case, point.timings)
    return {
        "case": dataclasses.asdict(point.case),
        "yardstick": best.subject.label,
        "results": [
            {
                "subject": timing.subject.label,
                "cell": timing.subject.cell,
                "options": timing.subject.options,
                "jit": timing.subject.jit,
                "parameters": timing.parameters,
                "first_step_seconds": timing.first_step,
                "samples_seconds": timing.samples,
                "median_seconds": timing.median,
                "spread": timing.spread,
                "ratio": timing.median / best.median,
                "peak_memory_bytes": timing.peak_memory,
            }
            for timing in point.timings
        ],
    }
