"""Traces of the recurrent layers of a model over one example, step by step.

Each cell runs one step at a time, and its rotation angles and gates are computed with each step.
Plots are drawn in `rumcli.reporting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from rumcli.cells.arum import ARUMCell
from rumcli.cells.base import Masks, RecurrentCell
from rumcli.cells.fs_rnn import FSRNNCell
from rumcli.cells.ops.rotation import unit
from rumcli.cells.rum import RUMCell
from rumcli.cells.tensor import Tensor
from rumcli.config import Split
from rumcli.errors import ConfigError
from rumcli.models.rnn_wrappers import BucketedRNN, StatefulRNN
from rumcli.tasks.base import Batch, Task

# More spectra than fit into a plot; each costs O(H³).
_MAX_SPECTRA = 200


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


def trace_cell(
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
    recorders = [_Recorder("", cell)]
    if isinstance(cell, FSRNNCell):
        steps = [
            _Recorder(_part(number), one) if isinstance(one, RUMCell) else _step_of(one)
            for number, one in enumerate(cell.cells)
        ]
        recorders[0] = _Recorder("", cell, lambda *given: cell.step_with(steps, *given))
        recorders += [step for step in steps if isinstance(step, _Recorder)]
    now = [cell.to_state_dtype(ops.convert_to_tensor(state)) for state in states]
    for row in np.asarray(inputs):
        given = ops.cast(ops.convert_to_tensor(row[None]), cell.compute_dtype)
        _, now = recorders[0](cell.precompute_inputs(given), now)
    return [recorder.trace() for recorder in recorders]


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
class _Recorder:
    """Replacement for the step of a cell that records outputs, angles, gates and memories."""

    part: str
    cell: Any
    advance: Any = None
    outputs: list[np.ndarray] = field(default_factory=list)
    angles: list[float] = field(default_factory=list)
    updates: list[np.ndarray] = field(default_factory=list)
    memories: list[np.ndarray] = field(default_factory=list)

    def __call__(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        advance = self.advance or self.cell.step
        output, after = advance(projected, states, masks)
        self.outputs.append(_numpy(output)[0])
        if isinstance(self.cell, RUMCell):
            _, axis, gate_inputs = projected
            target, update = self.cell.gates(gate_inputs, states[0])
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
    """Return at most `_MAX_SPECTRA` evenly spaced integers below `count`, the last included."""
    if count <= _MAX_SPECTRA:
        return np.arange(count)
    return np.linspace(0, count - 1, _MAX_SPECTRA).round().astype(int)


@dataclass(frozen=True)
class LayerTrace:
    """Traces of a recurrent layer over an example.

    Attributes:
        name: Name of the layer, as in "cell_2".
        backwards: Whether the layer reads from the end; step 0 of its traces is then the last.
        traces: Trace of its cell, followed by those of the cells within.
    """

    name: str
    backwards: bool
    traces: list[CellTrace]


@dataclass(frozen=True)
class ExampleTrace:
    """Traces of all recurrent layers over one example.

    Attributes:
        steps: Labels of the T steps, without padding.
        layers: Traces of the layers, the lowest first.
    """

    steps: list[str]
    layers: list[LayerTrace]


def trace_example(task: Task, model: keras.Model, split: Split, example: int) -> ExampleTrace:
    """Run the recurrent layers of a model step by step over one example.

    Args:
        task: Task that provides the example.
        model: Model of the task.
        split: `"validation"` or `"test"`.
        example: Number of the example, from 0, in evaluation order. For text, an example is one
            window of one stream.

    Returns:
        Traces of the example, without padding.

    Raises:
        ConfigError: If the split has no such example.
    """
    recurrent = [layer for layer in model.layers if _inner(layer) is not None]
    batch, row = _find(task, model, split, example, carries=_carries(recurrent))
    states = [_states(layer, batch, row) for layer in recurrent]
    is_one = not isinstance(batch[0], (list, tuple, dict))  # Keras warns if structures differ
    ends = model.inputs[0] if is_one else model.inputs
    feeds = keras.Model(ends, [_only(layer.input) for layer in recurrent])
    inputs: Any = feeds.predict_on_batch(batch[0]) if recurrent else []
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    steps = task.step_labels(batch[0], row)
    mask = _step_mask(steps, batch, row)
    layers = []
    for layer, values, before in zip(recurrent, inputs, states, strict=True):
        backwards = bool(getattr(layer, "backwards", False))
        read = np.asarray(values[row])[mask]
        found = trace_cell(_inner(layer).cell, read[::-1] if backwards else read, before)
        layers.append(LayerTrace(layer.name, backwards, found))
    return ExampleTrace([step for step, kept in zip(steps, mask, strict=True) if kept], layers)


def _find(
    task: Task, model: keras.Model, split: Split, example: int, carries: bool
) -> tuple[Batch, int]:
    """Return the batch with an example, and its row.

    For a stateful model, the batches before it are run to advance the carried state.
    """
    first = 0
    for number in range(task.num_batches(split)):
        batch = task.evaluation_batch(split, number)
        row = example - first
        if row < len(batch[1]):
            if len(batch) > 2 and not np.any(batch[2][row]):
                raise ConfigError(f"example {example} is past the end of the {split} text")
            return batch, row
        if carries:
            model.predict_on_batch(batch[0])
        first += len(batch[1])
    raise ConfigError(
        f"there is no example {example} in the {split} split; the last one is {first - 1}"
    )


def _step_mask(steps: list[str], batch: Batch, row: int) -> np.ndarray:
    """Return the mask of the steps that are not padding: `[T]`."""
    mask = np.array([step != "" for step in steps])
    return mask & (batch[2][row] > 0) if len(batch) > 2 else mask


def _inner(layer: keras.layers.Layer) -> Any:
    """Return a recurrent layer itself or the one that it wraps; None for other layers."""
    if isinstance(layer, (StatefulRNN, BucketedRNN)):
        return layer.layer
    return layer if isinstance(layer, keras.layers.RNN) else None


def _carries(layers: list[Any]) -> bool:
    return any(isinstance(layer, StatefulRNN) for layer in layers)


def _states(layer: Any, batch: Batch, row: int) -> list[np.ndarray] | None:
    """Return the states of a layer before a batch; None for its initial states."""
    if not isinstance(layer, StatefulRNN) or batch[0]["reset"][row]:
        return None
    return [ops.convert_to_numpy(state)[row : row + 1] for state in layer.evaluation_states]


def _only(inputs: Any) -> Any:
    """Return the first input of a layer: the sequence, without masks or flags."""
    return inputs[0] if isinstance(inputs, (list, tuple)) else inputs
