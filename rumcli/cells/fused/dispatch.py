"""Choice between the fused and the plain loop, and the call of the fused one.

Each cell registers its kernel here. The kernels are imported on first use, and only on the
TensorFlow and JAX backends.
"""

from __future__ import annotations

import abc
import importlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras
from keras import ops, tree

from rumcli.cells.tensor import Tensor

IMPLEMENTATIONS = ("auto", "fused", "plain")
BACKENDS = ("tensorflow", "jax")

# Outputs `[B, T, H]`, or None without `return_sequences`; the last output; the final states.
LoopResults = tuple[Tensor | None, Tensor, list[Tensor]]
Class = TypeVar("Class", bound=type)


class Kernel(abc.ABC):
    """Computation of all time steps of a cell in one call."""

    @abc.abstractmethod
    def why_not_fusable(self, cell: Any) -> str | None:
        """Return the reason why the kernel does not support a cell; None if it does."""

    @abc.abstractmethod
    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        """Compute all time steps of a layer, in the order of the sequences.

        Args:
            layer: Layer for whose cell `why_not_fusable` returns None.
            sequences: Inputs `[B, T, D]`.
            initial_state: Initial states, as in `keras.layers.RNN`.
            mask: Boolean mask `[B, T]`, or None.
            masks: Masks from `cell.draw` for all steps; None in inference.
        """


_KERNELS: dict[type, str] = {}


def register(path: str) -> Callable[[Class], Class]:
    """Return a class decorator that registers the kernel of a cell.

    The kernel applies to the exact class only: a subclass may compute something else.

    Args:
        path: Path of the kernel, `package.module:name`.
    """

    def decorate(cell_class: Class) -> Class:
        _KERNELS[cell_class] = path
        return cell_class

    return decorate


def kernel_of(cell: Any) -> Any:
    """Return the kernel of a cell, an instance of `Kernel`; None if it has none."""
    path = _KERNELS.get(type(cell))
    if path is None:
        return None
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def why_not_fusable(layer: Any) -> str | None:
    """Return the reason why a layer cannot use the fused loop; None if it can."""
    if type(layer.cell) not in _KERNELS:
        return f"{type(layer.cell).__name__} has no fused loop"
    backend = keras.config.backend()
    if backend not in BACKENDS:
        return f"it requires the backend {' or '.join(BACKENDS)}, got {backend}"
    if layer.unroll:
        return "it is incompatible with unroll=True"
    if reason := kernel_of(layer.cell).why_not_fusable(layer.cell):
        return str(reason)
    if backend == "tensorflow":
        from rumcli.cells.fused import tensorflow_custom_gradient

        if not tensorflow_custom_gradient.has_xla():
            return "this TensorFlow has no XLA compiler for this machine"
    return None


def why_not_auto(layer: Any) -> str | None:
    """Return the reason why `"auto"` selects the plain loop in `fit`; None if it does not.

    Assumes sequences of a static length.
    """
    if reason := why_not_fusable(layer):
        return reason
    if keras.config.backend() == "jax":
        return None
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return "it has not been measured on a GPU"
    return None


def should_fuse(layer: Any, sequences: Tensor) -> bool:
    """Return whether a call of the layer uses the fused loop."""
    if layer.implementation != "auto":
        return layer.implementation == "fused"
    if why_not_auto(layer) is not None:
        return False
    if keras.config.backend() == "jax":
        return True
    import tensorflow as tf

    # XLA compiles once per length. With dynamic lengths and in eager execution, compilation costs
    # more than it saves.
    return sequences.shape[1] is not None and tf.inside_function()


def run(
    layer: Any, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Run the fused loop.

    Half precision is cast to the state dtype, which is also the dtype of the results. The layer
    casts them back, as after the plain loop.

    Args:
        layer: RNN layer to run.
        sequences: Inputs `[B, T, D]`.
        initial_state: Initial states of the cell.
        mask: Boolean mask `[B, T]` or `[B, T, 1]`, or None.
        training: Whether zoneout and dropout are active.

    Returns:
        Last output, outputs and final states, as from `keras.layers.RNN.inner_loop`.
    """
    sequences = layer.cell.to_state_dtype(sequences)
    initial_state = [layer.cell.to_state_dtype(state) for state in initial_state]
    batch, steps = ops.shape(sequences)[:2]
    if mask is not None:
        mask = ops.reshape(ops.cast(mask, "bool"), (batch, steps))  # or [B, T, 1]
    masks = layer.cell.draw(batch, steps) if training else None
    if layer.go_backwards:
        sequences = ops.flip(sequences, axis=1)
        mask = None if mask is None else ops.flip(mask, axis=1)
        masks = masks and tree.map_structure(lambda part: ops.flip(part, axis=1), masks)
    outputs, last, states = kernel_of(layer.cell).run(layer, sequences, initial_state, mask, masks)
    if mask is not None:
        outputs, last = _masked(layer, outputs, last, mask)
    # Keras requires a tensor even with `return_sequences=False`.
    return last, last if outputs is None else outputs, states


def _masked(
    layer: Any, outputs: Tensor | None, last: Tensor, mask: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Zero the outputs of all masked steps, or only of those before the first unmasked step."""
    visible = mask
    if not layer.zero_output_for_mask:
        visible = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
    last = ops.where(visible[:, -1:], last, ops.zeros_like(last))
    if outputs is not None:
        outputs = ops.where(ops.expand_dims(visible, -1), outputs, ops.zeros_like(outputs))
    return outputs, last
