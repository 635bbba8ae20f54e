"""JSON document with the results of a benchmark. This module does not import Keras."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from rumcli.benchmark.timing import Pace, Timing, yardstick
from rumcli.json_schemas.measurements import (
    Axis,
    Benchmark,
    Case,
    CaseResults,
    EngineInfo,
    Machine,
    SeriesPoint,
    SubjectResult,
    TrainingPace,
)


@dataclasses.dataclass(frozen=True)
class BenchPoint:
    """Timings of one case.

    Attributes:
        case: Measured case.
        timings: Timings of all subjects on all backends.
        axis: Axis of the series, `"steps"` or `"units"`; None outside a series.
    """

    case: Case
    timings: list[Timing]
    axis: Axis | None = None


def document(
    points: list[BenchPoint], machines: Sequence[dict[str, Any]], paces: Sequence[Pace] = ()
) -> Benchmark:
    """Return the document of a benchmark, in seconds and bytes.

    Args:
        points: Measured cases.
        machines: Description of the machine by each backend. `reference_ratio` is relative to the
            baseline of the first backend.
        paces: Timings of whole runs.
    """
    return Benchmark(
        machine=Machine.model_validate(machines[0]),
        engines=[
            EngineInfo(
                backend=machine["backend"],
                version=machine[machine["backend"]],
                accelerators=machine["accelerators"],
            )
            for machine in machines
        ],
        cases=[CaseResults(**_measured(point)) for point in points if point.axis is None],
        series=[
            SeriesPoint(axis=point.axis, **_measured(point))
            for point in points
            if point.axis is not None
        ],
        training=[TrainingPace.model_validate(pace) for pace in paces],
    )


def _measured(point: BenchPoint) -> dict[str, Any]:
    backends = dict.fromkeys(timing.backend for timing in point.timings)
    best = {backend: yardstick(point.case, point.timings, backend) for backend in backends}
    baseline = next(iter(best.values()))
    return {
        "case": point.case,
        "yardstick": baseline.subject.label,
        "yardsticks": {backend: timing.subject.label for backend, timing in best.items()},
        "results": [
            SubjectResult(
                subject=timing.subject.label,
                backend=timing.backend,
                cell=timing.subject.cell,
                options=timing.subject.options,
                jit=timing.subject.jit,
                parameters=timing.parameters,
                first_step_seconds=timing.first_step,
                samples_seconds=timing.samples,
                median_seconds=timing.median,
                spread=timing.spread,
                ratio=timing.median / best[timing.backend].median,
                reference_ratio=timing.median / baseline.median,
                peak_memory_bytes=timing.peak_memory,
            )
            for timing in point.timings
        ],
    }
