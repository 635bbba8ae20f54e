"""Traces of the recurrent layers of a task's model over one example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from rumcli.analysis.cell_trace import CellTrace, trace
from rumcli.config import Split
from rumcli.errors import ConfigError
from rumcli.models.bucketed_rnn import BucketedRNN
from rumcli.models.stateful_rnn import StatefulRNN
from rumcli.tasks.base import Batch, Task


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
    there = _there(steps, batch, row)
    layers = []
    for layer, values, before in zip(recurrent, inputs, states, strict=True):
        backwards = bool(getattr(layer, "backwards", False))
        read = np.asarray(values[row])[there]
        found = trace(_inner(layer).cell, read[::-1] if backwards else read, before)
        layers.append(LayerTrace(layer.name, backwards, found))
    return ExampleTrace(
        [step for step, is_there in zip(steps, there, strict=True) if is_there], layers
    )


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
                raise ConfigError(f"example {example} lies behind the end of the {split} text")
            return batch, row
        if carries:
            model.predict_on_batch(batch[0])
        first += len(batch[1])
    raise ConfigError(
        f"there is no example {example} in the {split} split; the last one is {first - 1}"
    )


def _there(steps: list[str], batch: Batch, row: int) -> np.ndarray:
    """Return the mask of the steps that are not padding: `[T]`."""
    there = np.array([step != "" for step in steps])
    return there & (batch[2][row] > 0) if len(batch) > 2 else there


def _inner(layer: keras.layers.Layer) -> Any:
    """Return a recurrent layer itself or the one that it wraps; None for other layers."""
    if isinstance(layer, (StatefulRNN, BucketedRNN)):
        return layer.layer
    return layer if isinstance(layer, keras.layers.RNN) else None


def _carries(layers: list[Any]) -> bool:
    return any(isinstance(layer, StatefulRNN) for layer in layers)


def _states(layer: Any, batch: Batch, row: int) -> list[np.ndarray] | None:
    """Return the states of a layer before a batch; None for its initial states."""
    if not isinstance(layer, StatefulRNN) or batch[0]["begins"][row]:
        return None
    return [ops.convert_to_numpy(state)[row : row + 1] for state in layer.evaluation_states]


def _only(inputs: Any) -> Any:
    """Return the first input of a layer: the sequence, without masks or flags."""
    return inputs[0] if isinstance(inputs, (list, tuple)) else inputs
