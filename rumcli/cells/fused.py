"""When the fused loop is taken instead of the plain one, and how a layer hands its call over.

The only file that imports `rumcli.cells.kernels`, and only on the TensorFlow backend.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any

IMPLEMENTATIONS = ("auto", "fused", "plain")


def obstacle(layer: Any) -> str | None:
    """Say why a RUM or ARUM layer can't be fused, whatever it is called with; None if it can."""
    from rumcli.cells.arum import ARUMCell
    from rumcli.cells.rum import RUMCell

    if keras.config.backend() != "tensorflow":
        return f"it needs the backend tensorflow, not {keras.config.backend()}"
    if type(layer.cell) not in (RUMCell, ARUMCell):
        return f"{type(layer.cell).__name__} may compute something else than RUMCell and ARUMCell"
    if layer.unroll:
        return "unroll=True asks for no loop"
    if layer.cell.compute_dtype not in ("float32", "float64"):
        return f"it computes in float32 or float64, not in {layer.cell.compute_dtype}"
    from rumcli.cells.kernels import columns, program

    if not columns.is_known_activation(layer.cell.activation):
        return "its activation is not one of keras.activations"
    if not program.xla_is_there():
        return "this TensorFlow has no XLA compiler for this machine"
    return None


def is_taken(layer: Any, sequences: Tensor) -> bool:
    """Tell whether a call of the layer takes the fused loop."""
    if layer.implementation != "auto":
        return layer.implementation == "fused"
    if obstacle(layer) is not None:
        return False
    import tensorflow as tf

    # A program is compiled for one length: where each call may bring another one, and where every
    # operation runs by itself anyway, that costs more than it gives. On GPUs it was not measured.
    known = sequences.shape[1] is not None and tf.inside_function()
    return known and not tf.config.list_physical_devices("GPU")


def run(
    layer: Any, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Run the fused loop; arguments and results as those of `keras.layers.RNN.inner_loop`."""
    from rumcli.cells.kernels import program
    from rumcli.cells.kernels.recipe import Recipe, Sequence, Weights

    cell, units = layer.cell, layer.cell.units
    hidden_state, *memory = initial_state
    start = None
    if memory and not layer.memory_is_empty:
        start = ops.reshape(memory[0], (-1, units, units))
    draws = None
    if training and cell.zoneout:
        draws = cell.zoneout_mask((*ops.shape(sequences)[:2], units))
    if mask is not None:
        mask = ops.reshape(ops.cast(mask, "bool"), ops.shape(sequences)[:2])  # or [B, T, 1]
    if layer.go_backwards:
        sequences, mask, draws = (
            part if part is None else ops.flip(part, axis=1) for part in (sequences, mask, draws)
        )
    recipe = Recipe(
        units=units,
        activation=cell.activation.__name__,
        time_norm=cell.time_norm,
        layer_norm=cell.layer_norm,
        after_sigmoid=cell.layer_norm_order == "after_sigmoid",
        update_gate=cell.update_gate,
        new_share=1.0 - cell.zoneout,
        associative=bool(memory),
        return_sequences=layer.return_sequences,
        memory_is_used=bool(memory) and (layer.return_state or layer.stateful),
    )
    weights = Weights(*(_value(cell, name) for name in Weights._fields))
    sequence = Sequence(sequences, hidden_state, start, mask, draws)
    outputs, last, product = program.run(recipe, weights, sequence)
    states = [last, *_final_memory(start, product, memory)]
    if mask is not None:
        outputs, last = _masked(layer, outputs, last, mask)
    # Keras wants a tensor even where it has no use for it.
    return last, last if outputs is None else outputs, states


def _value(cell: Any, name: str) -> Tensor | None:
    weight = getattr(cell, name, None)
    return None if weight is None else ops.convert_to_tensor(weight)


def _final_memory(start: Tensor | None, product: Tensor | None, memory: list[Tensor]) -> list:
    """Return the final associative memory as the layer's state; nobody asked: the initial one."""
    if product is None:
        return memory
    final = product if start is None else ops.matmul(start, product)
    return [ops.reshape(final, ops.shape(memory[0]))]


def _masked(
    layer: Any, outputs: Tensor | None, last: Tensor, mask: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Make zeros of the outputs of masked steps, all or those before the first real one."""
    shown = mask
    if not layer.zero_output_for_mask:
        shown = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
    last = ops.where(shown[:, -1:], last, ops.zeros_like(last))
    if outputs is not None:
        outputs = ops.where(ops.expand_dims(shown, -1), outputs, ops.zeros_like(outputs))
    return outputs, last
