"""Benchmark cases, sized as in the tasks, and the cells to compare."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rumcli.json_schemas.measurements import Axis, Case


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
            yardstick="fsrnn, plain",
        ),
    )
}
CELLS = ("rum", "arum", "lnlstm", "fsrnn", "gru", "lstm")
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
    """Return the subjects to compare for a case, including its baseline.

    TensorFlow and JAX add the plain loops to the fused ones. TensorFlow adds Keras's cells with the
    whole step compiled. PyTorch adds `TORCH_MODULES` if the baseline is Keras's GRU.

    Args:
        case: Case to measure.
        cells: Names of cells in `CELLS`.
        backend: Name of the Keras backend.
    """
    found = []
    for cell in dict.fromkeys([*cells, case.yardstick.partition(",")[0]]):
        if cell not in ("gru", "lstm"):
            found += _ours(case, cell, backend)
        elif backend == "tensorflow":
            found += [Subject(cell, cell, {}, False), Subject(f"{cell}, jit", cell, {}, True)]
        else:
            found.append(Subject(cell, cell))
    if backend == "torch" and case.yardstick == "gru":
        found += [Subject(f"torch {module}", module) for module in TORCH_MODULES]
    return found


def _ours(case: Case, cell: str, backend: str) -> list[Subject]:
    options: dict[str, Any] = {"rum": _NORM, "arum": _NORM, "fsrnn": _FAST_SLOW}.get(cell, {})
    if case.name != "fast-slow" and cell == "fsrnn":
        options = {}
    found = [Subject(cell, cell, options)]
    # Other backends have only the plain loop, labeled as such if it is the baseline.
    if backend in ("tensorflow", "jax") or cell in case.yardstick:
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
