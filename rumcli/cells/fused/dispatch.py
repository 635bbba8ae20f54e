"""When the fused loop is taken instead of the plain one, and how a layer hands its call over.

The only file that imports `rumcli.cells.fused`, and only on the TensorFlow and JAX backends.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops, tree

Tensor = Any

IMPLEMENTATIONS = ("auto", "fused", "plain")


def why_not_fusable(layer: Any) -> str | None:
    """Say why a layer can't be fused, whatever it is called with; None if it can."""
    if keras.config.backend() not in ("tensorflow", "jax"):
        return f"it needs the backend tensorflow or jax, not {keras.config.backend()}"
    if layer.unroll:
        return "unroll=True asks for no loop"
    from rumcli.cells.fused import layer_adapter

    if found := layer_adapter.why_not_fusable(layer.cell):
        return found
    if keras.config.backend() == "tensorflow" and not layer_adapter.custom_gradient.xla_is_there():
        return "this TensorFlow has no XLA compiler for this machine"
    return None


def why_not_auto(layer: Any) -> str | None:
    """Say why `"auto"` does not take the fused loop where it may: in `fit`, for a known length."""
    if found := why_not_fusable(layer):
        return found
    if keras.config.backend() == "jax":
        return None
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return "there is a GPU, on which it was not measured"
    return None


def should_fuse(layer: Any, sequences: Tensor) -> bool:
    """Tell whether a call of the layer takes the fused loop."""
    if layer.implementation != "auto":
        return layer.implementation == "fused"
    if why_not_auto(layer) is not None:
        return False
    if keras.config.backend() == "jax":
        return True
    import tensorflow as tf

    # A program is compiled for one length: where each call may bring another one, and where every
    # operation runs by itself anyway, that costs more than it gives.
    return sequences.shape[1] is not None and tf.inside_function()


def run(
    layer: Any, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Run the fused loop; arguments and results as those of `keras.layers.RNN.inner_loop`.

    Half precision is cast to the dtype of the recurrence, in which the results are too; the layer
    casts them back, as it does those of the plain loop.
    """
    from rumcli.cells.fused import layer_adapter

    sequences = layer.cell.to_state_dtype(sequences)
    initial_state = [layer.cell.to_state_dtype(state) for state in initial_state]
    batch, steps = ops.shape(sequences)[:2]
    if mask is not None:
        mask = ops.reshape(ops.cast(mask, "bool"), (batch, steps))  # or [B, T, 1]
    draws = layer.cell.draw(batch, steps) if training else None
    if layer.go_backwards:
        sequences = ops.flip(sequences, axis=1)
        mask = None if mask is None else ops.flip(mask, axis=1)
        draws = draws and tree.map_structure(lambda part: ops.flip(part, axis=1), draws)
    outputs, last, states = layer_adapter.run(layer, sequences, initial_state, mask, draws)
    if mask is not None:
        outputs, last = _masked(layer, outputs, last, mask)
    # Keras wants a tensor even where it has no use for it.
    return last, last if outputs is None else outputs, states


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
