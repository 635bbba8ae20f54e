"""What is measured: sizes as in the tasks, and the cells that are compared at them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rumcli.json_schemas.measurements import Case


@dataclass(frozen=True)
class Subject:
    """A cell with its options.

    Args:
        label: What it is called.
        cell: A name that `rumcli.cells.make` knows, or one of `TORCH_MODULES`.
        options: Of the cell.
        jit: Whether XLA compiles the whole training step; None leaves that to Keras.
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
        # FS-RUM-2 as published: H is that of each fast cell.
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
# PyTorch's own modules, measured without Keras beside its cells on that backend.
TORCH_MODULES = ("nn.GRU", "nn.LSTM")

_NORM = {"time_norm": 1.0}
# As the published language models have it.
_LANGUAGE = {**_NORM, "layer_norm": True, "layer_norm_order": "after_sigmoid", "zoneout": 0.1}
_FAST_SLOW = {
    "fast": {"name": "lnlstm", "zoneout": 0.1, "cell_zoneout": 0.5},
    "slow": {"name": "rum", "units": 1000, **_LANGUAGE},
    "dropout": 0.35,
}
# ARUM is too large for characters: R alone takes [B, H, H], 512 MB at this size, for each of the
# arrays that a gradient needs.
_DEFAULTS = {
    "copying": ("rum", "arum", "gru", "lstm"),
    "recall": ("rum", "arum", "gru", "lstm"),
    "characters": ("rum", "lnlstm", "gru", "lstm"),
    "fast-slow": ("fsrnn",),
}

# The tasks that need nothing of the user, whose whole runs are measured too.
TRAINED = ("copying", "recall")
SERIES_STEPS = (100, 200, 500, 1000, 2000)
SERIES_UNITS = (50, 100, 200, 400)
_SERIES_CASE = Case(name="copying", steps=200, batch=128, features=10, units=100, classes=9)


def default_cells(case: Case, backend: str) -> list[str]:
    """Return the cells that are measured at a size unless others are asked for.

    Args:
        case: The size.
        backend: Name of Keras's backend. ARUM's plain loop keeps every R for its gradient, in 5 GB
            at the copying size, and takes seconds a step on torch.
    """
    return [cell for cell in _DEFAULTS[case.name] if (cell, backend) != ("arum", "torch")]


def subjects(case: Case, cells: list[str], backend: str) -> list[Subject]:
    """Return what is compared at a size; the yardstick is always among it.

    Args:
        case: The size.
        cells: Names of cells, out of `CELLS`.
        backend: Name of Keras's backend. TensorFlow and JAX have fused loops, TensorFlow has a
            choice of compiling the whole step, and torch has modules of its own.
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
    options = {"rum": _NORM, "arum": _NORM, "fsrnn": _FAST_SLOW}.get(cell, {})
    if case.name != "fast-slow" and cell == "fsrnn":
        options = {}
    found = [Subject(cell, cell, options)]
    # Elsewhere the plain loop is the only one; it is called so where it is the yardstick.
    if backend in ("tensorflow", "jax") or cell in case.yardstick:
        plain = {**options, "implementation": "plain"}
        found.append(Subject(f"{cell}, plain", cell, plain))
    if case.name == "characters" and cell == "rum":
        found.append(Subject("rum, layer norm and zoneout", cell, _LANGUAGE))
    return found


def series(cells: list[str], backend: str) -> list[tuple[str, Case, list[Subject]]]:
    """Return how cost grows with T and with H: the axis, the size and the subjects of each point.

    The axis is `"steps"` or `"units"`. Neither plain loops are among the subjects nor whole steps
    under XLA, whose time grows faster than T.
    """
    found = []
    for axis, values in (("steps", SERIES_STEPS), ("units", SERIES_UNITS)):
        for value in values:
            case = _SERIES_CASE.model_copy(update={axis: value})
            chosen = [
                subject
                for subject in subjects(case, cells, backend)
                if subject.options.get("implementation") != "plain" and not subject.jit
            ]
            found.append((axis, case, chosen))
    return found
