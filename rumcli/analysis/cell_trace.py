"""Step-by-step traces of a recurrent cell over one sequence.

The cell itself runs one step at a time. Rotation angles and gates are computed beside each step.
Plots are drawn in `rumcli.reporting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops, tree

from rumcli.cells.arum import ARUMCell
from rumcli.cells.base import Masks, RecurrentCell
from rumcli.cells.fs_rnn import FSRNNCell
from rumcli.cells.ops.rotation import unit
from rumcli.cells.rum import RUMCell
from rumcli.cells.tensor import Tensor

# More spectra than fit into a plot; each costs O(H³).
_MOST_SPECTRA = 200


@dataclass(frozen=True)
class CellTrace:
    """Trace of a cell over T steps.

    Attributes:
        part: Name of the cell within a Fast-Slow RNN, as in "slow"; empty for the whole cell.
        norms: Norms of the output, which is the hidden state: `[T]`.
        angles: Rotation angles in degrees, from 0 to 180: `[T]`. None for a cell without rotations.
        update_gates: Update gates: `[T, H]`. None for a cell without RUM's update gate.
        spectrum_steps: Steps of the spectra, from 0: `[S]`. None without an associative memory.
        spectrum: `rotation_angles` of the associative memory: `[S, H]`. None without one.
    """

    part: str
    norms: np.ndarray
    angles: np.ndarray | None = None
    update_gates: np.ndarray | None = None
    spectrum_steps: np.ndarray | None = None
    spectrum: np.ndarray | None = None


def trace(
    cell: Any, inputs: np.ndarray, states: Sequence[np.ndarray] | None = None
) -> list[CellTrace]:
    """Run a cell in inference mode over one sequence and return its traces.

    Args:
        cell: Cell that `keras.layers.RNN` accepts.
        inputs: Input sequence: `[T, D]`.
        states: States before the first step, each `[1, ...]`; None for the cell's initial states.

    Returns:
        Trace of the cell, followed for a Fast-Slow RNN by those of the RUM cells in it.
    """
    if states is None:
        states = tree.flatten(cell.get_initial_state(1))
    if not isinstance(cell, RecurrentCell):
        return [CellTrace("", _norms_of_other(cell, inputs, states))]
    watchers = [_Watcher("", cell)]
    if isinstance(cell, FSRNNCell):
        steps = [
            _Watcher(_part(number), one) if isinstance(one, RUMCell) else _step_of(one)
            for number, one in enumerate(cell.cells)
        ]
        watchers[0] = _Watcher("", cell, lambda *given: cell.step_with(steps, *given))
        watchers += [step for step in steps if isinstance(step, _Watcher)]
    now = [cell.to_state_dtype(ops.convert_to_tensor(state)) for state in states]
    for row in np.asarray(inputs):
        given = ops.cast(ops.convert_to_tensor(row[None]), cell.compute_dtype)
        _, now = watchers[0](cell.precompute_inputs(given), now)
    return [watcher.trace() for watcher in watchers]


def angle_between(one: np.ndarray, other: np.ndarray) -> float:
    """Return the angle between two vectors of length 1 or 0, in degrees from 0 to 180.

    A vector of length 0 has no direction. The angle is then 0, because the rotation is the
    identity. The arc cosine of the dot product would lose half of the digits for nearly parallel
    vectors; this formula does not.

    Args:
        one: Vector: `[H]`.
        other: Vector: `[H]`.

    Source: W. Kahan, "How Futile are Mindless Assessments of Roundoff", 2006, section 12.
    """
    one, other = one.astype("float64"), other.astype("float64")
    if not (one.any() and other.any()):
        return 0.0
    halves = np.linalg.norm(one - other), np.linalg.norm(one + other)
    return float(np.degrees(2 * np.arctan2(*halves)))


def rotation_angles(matrix: np.ndarray) -> np.ndarray:
    """Return the rotation angles of an orthogonal matrix, one for each of its invariant planes.

    Its eigenvalues are e^{±iφ}. The eigenvalues of its symmetric part are cos φ; these are real
    and cheaper to compute.

    Args:
        matrix: Orthogonal matrix: `[H, H]`.

    Returns:
        φ in degrees from 0 to 180, ascending: `[H]`. The angle of each plane appears twice. All
        angles of the identity are 0.
    """
    matrix = matrix.astype("float64")
    cosines = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    return np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))[::-1]


@dataclass
class _Watcher:
    """Replacement for the step of a cell that records outputs, angles, gates and memories."""

    part: str
    cell: Any
    advance: Any = None
    outputs: list[np.ndarray] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)
    updates: list[np.ndarray] = field(default_factory=list)
    memories: list[np.ndarray] = field(default_factory=list)

    def __call__(
        self, projected: tuple[Tensor, ...], states: list[Tensor], draws: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        advance = self.advance or self.cell.step
        output, after = advance(projected, states, draws)
        self.outputs.append(_numpy(output)[0])
        if isinstance(self.cell, RUMCell):
            _, axis, shares = projected
            target, update = self.cell.gates(shares, states[0])
            self.angles.append(angle_between(_numpy(axis)[0], _numpy(unit(target))[0]))
            if update is not None:
                self.updates.append(_numpy(update)[0])
        if isinstance(self.cell, ARUMCell):
            self.memories.append(_numpy(after[1]).reshape(self.cell.units, self.cell.units))
        return output, after

    def trace(self) -> CellTrace:
        """Return the trace of the recorded steps."""
        steps = _evenly(len(self.memories))
        return CellTrace(
            self.part,
            norms=np.array([np.linalg.norm(output) for output in self.outputs]),
            angles=np.array(self.angles) if self.angles else None,
            update_gates=np.stack(self.updates) if self.updates else None,
            spectrum_steps=steps if self.memories else None,
            spectrum=np.stack([rotation_angles(self.memories[step]) for step in steps])
            if self.memories
            else None,
        )


def _norms_of_other(cell: Any, inputs: np.ndarray, states: Sequence[np.ndarray]) -> np.ndarray:
    """Return the output norms of a cell that is not a `RecurrentCell`: `[T]`."""
    nested = isinstance(cell.state_size, (list, tuple))
    now: Any = [ops.convert_to_tensor(state) for state in states]
    now = now if nested else now[0]
    norms = []
    for row in np.asarray(inputs):
        given = ops.cast(ops.convert_to_tensor(row[None]), cell.compute_dtype)
        output, now = cell(given, now)
        norms.append(np.linalg.norm(_numpy(output)))
    return np.array(norms)


def _part(number: int) -> str:
    """Return the name of a cell by its index in `FSRNNCell.cells`."""
    return "slow" if number == 1 else f"fast {max(number, 1)}"


def _step_of(cell: Any) -> Any:
    return cell.make_step() if isinstance(cell, RecurrentCell) else None


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor), dtype="float64")


def _evenly(count: int) -> np.ndarray:
    """Return at most `_MOST_SPECTRA` evenly spaced integers below `count`, the last included."""
    if count <= _MOST_SPECTRA:
        return np.arange(count)
    return np.linspace(0, count - 1, _MOST_SPECTRA).round().astype(int)
