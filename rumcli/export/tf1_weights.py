"""Weights of TensorFlow 1 checkpoints: path of a checkpoint, names of its variables, conversion.

Imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rumcli.errors import ConfigError

_PARTS = (".index", ".meta", ".data-00000-of-00001")

_GATES, _UPDATE = "gates/fully_connected/", "gates/fully_connected_1/"
_CANDIDATE = "candidate/fully_connected/"
# Prefixes with and without an update gate.
_GATE_NORMS = ("gates/ln_r_u/layer_norm_", "gates/ln_r/layer_norm_")
_CANDIDATE_NORM = "candidate/ln_c/"


def find_checkpoint(path: Path) -> Path:
    """Return the common prefix of a checkpoint's files.

    Args:
        path: Prefix, one of the files, or directory with a single checkpoint.

    Raises:
        ConfigError: If there is no checkpoint, or the directory has several.
    """
    for part in _PARTS:
        if path.name.endswith(part):
            return path.with_name(path.name.removesuffix(part))
    if path.is_dir():
        there = sorted({file.with_suffix("") for file in path.glob("*.index")})
        if len(there) == 1:
            return there[0]
        names = ", ".join(file.name for file in there) or "none"
        raise ConfigError(f"{path} is a directory; expected one checkpoint in it, got: {names}")
    if not path.is_file() and not path.with_name(f"{path.name}.index").is_file():
        raise ConfigError(f"{path}: there is no checkpoint; expected the file {path.name}.index")
    return path


@dataclass(frozen=True, eq=False)
class TF1Cell:
    """Weights and options of a cell, as inferred from its variables.

    λ, η and f are not variables and cannot be inferred.

    Args:
        features: Size of the input, D.
        units: Size of the state, H.
        update_gate: Whether the cell has an update gate.
        layer_norm: Whether the cell has layer normalization, in the original after the sigmoid.
        candidate_bias: Whether the embedded input has a bias.
        weights: Weights by their names in `RUMCell`.
        names: Names of the original variables that form each weight.
    """

    features: int
    units: int
    update_gate: bool
    layer_norm: bool
    candidate_bias: bool
    weights: Mapping[str, np.ndarray]
    names: Mapping[str, tuple[str, ...]]


def scopes(names: Iterable[str]) -> list[str]:
    """Return the variable scopes of the cells, as in `"rnn/rum_cell"`.

    Args:
        names: Names of all variables of a checkpoint.
    """
    end = f"/{_CANDIDATE}weights"
    found = {name.removesuffix(end) for name in names if f"/{name}".endswith(end)}
    return sorted("" if f"/{scope}" == end else scope for scope in found)


def variables_of(scope: str, names: Iterable[str]) -> list[str]:
    """Return the names of a cell's variables, without the optimizer's slot variables.

    Args:
        scope: Variable scope of the cell.
        names: Names of all variables of a checkpoint.
    """
    begin = f"{scope}/" if scope else ""
    ends = ("weights", "biases", "alpha", "bias")
    return [
        name
        for name in names
        if name.startswith((f"{begin}gates/", f"{begin}candidate/")) and name.endswith(ends)
    ]


def convert(variables: Mapping[str, np.ndarray], scope: str) -> TF1Cell:
    """Convert the variables of a cell to weights with the names of `RUMCell`.

    Args:
        variables: Variables of the cell by their original names.
        scope: Variable scope of the cell.

    Raises:
        ValueError: If a variable is missing, has an unexpected shape or dtype, or is not finite.
    """
    begin = f"{scope}/" if scope else ""
    # The two versions differ in case.
    found = {name.removeprefix(begin).lower(): name for name in variables}
    sources = _sources(found)
    missing = [part for parts in sources.values() for part in parts if part not in found]
    if missing:
        raise ValueError(f"the variable {begin}{missing[0]} is missing")
    names = {ours: tuple(found[part] for part in parts) for ours, parts in sources.items()}
    weights = {
        ours: np.concatenate([np.asarray(variables[name]) for name in theirs], axis=-1)
        for ours, theirs in names.items()
        if all(np.ndim(variables[name]) for name in theirs)
    }
    return _checked(weights, names)


def _sources(found: Mapping[str, str]) -> dict[str, list[str]]:
    kernels = [_GATES, _UPDATE] if f"{_UPDATE}weights" in found else [_GATES]
    sources = {
        "gate_kernel": [f"{kernel}weights" for kernel in kernels],
        "gate_bias": [f"{kernel}biases" for kernel in kernels],
        "candidate_kernel": [f"{_CANDIDATE}weights"],
    }
    if f"{_CANDIDATE}biases" in found:
        sources["candidate_bias"] = [f"{_CANDIDATE}biases"]
    norm = next((norm for norm in _GATE_NORMS if f"{norm}alpha" in found), None)
    if norm or f"{_CANDIDATE_NORM}alpha" in found:
        norm = norm or _GATE_NORMS[0]
        sources["gate_gain"], sources["gate_offset"] = [f"{norm}alpha"], [f"{norm}bias"]
        sources["candidate_gain"] = [f"{_CANDIDATE_NORM}alpha"]
        sources["candidate_offset"] = [f"{_CANDIDATE_NORM}bias"]
    return sources


def _checked(weights: dict[str, np.ndarray], names: Mapping[str, tuple[str, ...]]) -> TF1Cell:
    kernel = weights.get("candidate_kernel", np.zeros(()))
    features, units = kernel.shape if kernel.ndim == 2 else (0, 0)
    columns = weights.get("gate_kernel", kernel).shape[-1:]
    gates = 2 if columns == (2 * units,) else 1
    expected = {
        "gate_kernel": (features + units, gates * units),
        "gate_bias": (gates * units,),
        "candidate_kernel": (features, units),
        "candidate_bias": (units,),
        "gate_gain": (gates * units,),
        "gate_offset": (gates * units,),
        "candidate_gain": (units,),
        "candidate_offset": (units,),
    }
    for ours, theirs in names.items():
        shape = weights[ours].shape if ours in weights else ()
        if shape != expected[ours] or 0 in shape:
            raise ValueError(
                f"{' and '.join(theirs)} with shape {list(shape)}; expected {list(expected[ours])} "
                f"for {features} features and {units} units"
            )
        if not np.issubdtype(weights[ours].dtype, np.floating):
            raise ValueError(
                f"{theirs[0]} has dtype {weights[ours].dtype}; expected a floating-point dtype"
            )
        if not np.isfinite(weights[ours]).all():
            raise ValueError(f"{' and '.join(theirs)} with non-finite values")
    return TF1Cell(
        features,
        units,
        update_gate=gates == 2,
        layer_norm="gate_gain" in weights,
        candidate_bias="candidate_bias" in weights,
        weights=weights,
        names=names,
    )
