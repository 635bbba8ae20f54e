"""Benchmark cases, sized as in the tasks, with their timings and the JSON document of the results.

This module does not import Keras.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rumcli import config
from rumcli.config import cell_config
from rumcli.json_schemas.measurements import (
    Axis,
    BackendInfo,
    Benchmark,
    Case,
    CaseResults,
    Machine,
    SeriesPoint,
    SubjectResult,
    TrainingPace,
)


@dataclass(frozen=True)
class Subject:
    """A cell with its options.

    Args:
        label: Display name.
        cell: Cell name for `rumcli.cells.make`, or one of `TORCH_MODULES`.
        options: Options of the cell.
        jit: Whether XLA compiles the whole training step; None for Keras's default.
    """

    label: str
    cell: str
    options: dict[str, Any] = field(default_factory=dict)
    jit: bool | None = None


CASES = {
    case.name: case
    for case in (
        Case(name="copying", steps=220, batch=128, features=10, units=100, classes=9),
        Case(
            name="recall",
            steps=53,
            batch=128,
            features=36,
            units=50,
            classes=10,
            return_sequences=False,
        ),
        Case(
            name="characters",
            steps=150,
            batch=128,
            features=128,
            units=1000,
            classes=50,
            one_hot=False,
        ),
        # FS-RUM-2 as published; `units` is the size of each fast cell.
        Case(
            name="fast-slow",
            steps=150,
            batch=128,
            features=128,
            units=700,
            classes=50,
            one_hot=False,
            reference="fsrnn, plain",
        ),
        # The word problem of the group A5, which has 60 elements, at the longest training length.
        Case(name="state_tracking", steps=40, batch=256, features=60, units=128, classes=60),
    )
}

CELLS = config.names("cell")

# PyTorch modules, measured without Keras on the torch backend.
TORCH_MODULES = ("nn.GRU", "nn.LSTM")

_NORM: dict[str, Any] = {"time_norm": 1.0}

# Options of the published language models.
_LANGUAGE: dict[str, Any] = {
    **_NORM,
    "layer_norm": True,
    "layer_norm_order": "after_sigmoid",
    "zoneout": 0.1,
}

_FAST_SLOW: dict[str, Any] = {
    "fast": {"name": "lnlstm", "zoneout": 0.1, "cell_zoneout": 0.5},
    "slow": {"name": "rum", "units": 1000, **_LANGUAGE},
    "dropout": 0.35,
}

# ARUM is excluded for characters: R [B, H, H] takes 512 MB at this size, and its gradient needs
# several such arrays.
_DEFAULTS = {
    "copying": ("rum", "arum", "gru", "lstm"),
    "recall": ("rum", "arum", "gru", "lstm"),
    "characters": ("rum", "lnlstm", "gru", "lstm"),
    "fast-slow": ("fsrnn",),
    "state_tracking": tuple(name for name in CELLS if name not in ("lnlstm", "fsrnn", "rnn")),
}

# Tasks without user-supplied data, whose whole runs are measured too.
TRAINED = ("copying", "recall")

SERIES_STEPS = (100, 200, 500, 1000, 2000)

SERIES_UNITS = (50, 100, 200, 400)

_SERIES_CASE = Case(name="copying", steps=200, batch=128, features=10, units=100, classes=9)


def default_cells(case: Case, backend: str) -> list[str]:
    """Return the default cells of a case.

    ARUM is excluded on torch: its plain loop stores every R for the gradient, 5 GB for the copying
    case, and takes seconds per step.

    Args:
        case: Case to measure.
        backend: Name of the Keras backend.
    """
    return [cell for cell in _DEFAULTS[case.name] if (cell, backend) != ("arum", "torch")]


def subjects(case: Case, cells: list[str], backend: str) -> list[Subject]:
    """Return the subjects to compare for a case, including its reference.

    TensorFlow and JAX add the plain loops to the fused ones. TensorFlow adds Keras's cells with the
    whole step compiled. PyTorch adds `TORCH_MODULES` if the reference is Keras's GRU.

    Args:
        case: Case to measure.
        cells: Names of cells in `CELLS`.
        backend: Name of the Keras backend.
    """
    found = []
    for cell in dict.fromkeys([*cells, case.reference.partition(",")[0]]):
        if not cell_config.layers()[cell].startswith("keras."):
            found += _package_subjects(case, cell, backend)
        elif backend == "tensorflow":
            found += [Subject(cell, cell, {}, False), Subject(f"{cell}, jit", cell, {}, True)]
        else:
            found.append(Subject(cell, cell))
    if backend == "torch" and case.reference == "gru":
        found += [Subject(f"torch {module}", module) for module in TORCH_MODULES]
    return found


def _package_subjects(case: Case, cell: str, backend: str) -> list[Subject]:
    options: dict[str, Any] = {"rum": _NORM, "arum": _NORM, "fsrnn": _FAST_SLOW}.get(cell, {})
    if case.name != "fast-slow" and cell == "fsrnn":
        options = {}
    found = [Subject(cell, cell, options)]
    # On other backends a compiled loop is missing; the plain one is labeled if it is the reference.
    has_two = "implementation" in config.schema.model_of("cell", cell).model_fields
    if has_two and (backend in ("tensorflow", "jax") or cell in case.reference):
        plain = {**options, "implementation": "plain"}
        found.append(Subject(f"{cell}, plain", cell, plain))
    if case.name == "characters" and cell == "rum":
        found.append(Subject("rum, layer norm and zoneout", cell, _LANGUAGE))
    return found


def series(cells: list[str], backend: str) -> list[tuple[Axis, Case, list[Subject]]]:
    """Return the axis, case and subjects of each point of the scaling series over T and H.

    The axis is `"steps"` or `"units"`. Plain loops and steps compiled as a whole are excluded,
    because their time grows faster than T.
    """
    found = []
    sizes: dict[Axis, tuple[int, ...]] = {"steps": SERIES_STEPS, "units": SERIES_UNITS}
    for axis, values in sizes.items():
        for value in values:
            case = _SERIES_CASE.model_copy(update={axis: value})
            chosen = [
                subject
                for subject in subjects(case, cells, backend)
                if subject.options.get("implementation") != "plain" and not subject.jit
            ]
            found.append((axis, case, chosen))
    return found


class Sample(NamedTuple):
    """Measurement of consecutive training steps.

    Attributes:
        seconds: Total wall time, until the last step has finished.
        loss: Mean loss of the steps, or loss of the last step.
    """

    seconds: float
    loss: float


@dataclass(frozen=True)
class Runner:
    """A model with its training data.

    Attributes:
        parameters: Number of parameters.
        run: Function that trains for a given number of consecutive steps.
    """

    parameters: int
    run: Callable[[int], Sample]


@dataclass
class Timing:
    """Timings of one subject for one case, in seconds per training step.

    Attributes:
        subject: Measured cell.
        backend: Name of the Keras backend.
        parameters: Number of parameters of the model.
        first_step: Duration of the first step in seconds, including tracing and compilation.
        samples: One sample per round; fewer if the subject exceeds its time limit.
        peak_memory: Peak resident size of a separate process, in bytes; None if not measured.
    """

    subject: Subject
    backend: str
    parameters: int
    first_step: float
    samples: list[float] = field(default_factory=list)
    peak_memory: int | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """Interquartile range relative to the median."""
        if len(self.samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.samples, n=4, method="inclusive")
        return (high - low) / self.median


def reference_timing(case: Case, timings: list[Timing], backend: str) -> Timing:
    """Return the reference of a backend: the fastest timing that matches `case.reference`.

    Args:
        case: Measured case. Its `reference` is the name of a cell or the label of a subject.
        timings: Timings on all backends.
        backend: Name of the Keras backend.
    """
    named = [
        timing
        for timing in timings
        if timing.backend == backend
        and case.reference in (timing.subject.cell, timing.subject.label)
    ]
    return min(named, key=lambda timing: timing.median)


@dataclass
class Pace:
    """Seconds per step of training runs, and of bare steps measured right before each run.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        runs: Seconds per step of the run in each round.
        bare: Seconds per bare step in each round.
    """

    task: str
    cell: str
    runs: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median over the rounds of the ratio of `runs` to `bare`."""
        return statistics.median(run / bare for run, bare in zip(self.runs, self.bare, strict=True))


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


def benchmark_document(
    points: list[BenchPoint], machines: Sequence[dict[str, Any]], paces: Sequence[Pace] = ()
) -> Benchmark:
    """Return the document of a benchmark, in seconds and bytes.

    Args:
        points: Measured cases.
        machines: Description of the machine by each backend. `reference_ratio` is relative to the
            reference of the first backend.
        paces: Timings of whole runs.
    """
    return Benchmark(
        machine=Machine.model_validate(machines[0]),
        backends=[
            BackendInfo(
                backend=machine["backend"],
                version=machine[machine["backend"]],
                accelerators=machine["accelerators"],
            )
            for machine in machines
        ],
        cases=[CaseResults(**_case_fields(point)) for point in points if point.axis is None],
        series=[
            SeriesPoint(axis=point.axis, **_case_fields(point))
            for point in points
            if point.axis is not None
        ],
        training=[TrainingPace.model_validate(pace) for pace in paces],
    )


def _case_fields(point: BenchPoint) -> dict[str, Any]:
    backends = dict.fromkeys(timing.backend for timing in point.timings)
    best = {backend: reference_timing(point.case, point.timings, backend) for backend in backends}
    reference = next(iter(best.values()))
    return {
        "case": point.case,
        "reference": reference.subject.label,
        "references": {backend: timing.subject.label for backend, timing in best.items()},
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
                reference_ratio=timing.median / reference.median,
                peak_memory_bytes=timing.peak_memory,
            )
            for timing in point.timings
        ],
    }
