"""Time loop of the plain implementation: the only module that uses Keras's private modules.

`keras.layers.RNN` loops over one tensor; our cells loop over several tensors, precomputed for all
time steps. Keras's private backend provides that loop, with masks, unrolling and reverse order, for
every backend. The public `keras.ops.scan` does not support masks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree
from keras.src import backend

from rumcli.cells.tensor import Tensor

# A function up to Keras 3.15, later a module that contains the function.
_rnn = getattr(backend.rnn, "rnn", backend.rnn)

# Keras takes a missing length from `inputs.shape`, which a tuple of sequences lacks. The length
# serves as an upper bound only. More steps than this would overflow Keras's counter.
_ANY_LENGTH = 2**31 - 1


def run(
    layer: Any,
    step: Callable[[Any, Any], tuple[Tensor, list[Tensor]]],
    sequences: tuple[Any, ...],
    states: list[Tensor],
    mask: Tensor | None,
    training: bool = True,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Loop `step` over time, with the options of a `keras.layers.RNN`.

    Args:
        layer: Layer that defines `go_backwards`, `unroll`, `return_sequences` and
            `zero_output_for_mask`.
        step: Step function `(inputs of one step, states) → (output, new states)`.
        sequences: Nested tuples of tensors `[B, T, ...]`.
        states: Initial states, tensors `[B, ...]`.
        mask: Boolean mask `[B, T]`, or None.
        training: Whether gradients may be computed.

    Returns:
        The last output `[B, H]`, the outputs `[B, T, H]` and the final states, as
        `keras.layers.RNN.inner_loop` returns them.
    """
    # Keras's loop accepts a flat tuple of tensors only.
    flat, count = tuple(tree.flatten(sequences)), len(states)
    # An exported model has a dynamic batch size. Its graph must not contain the operation that
    # hides a size, because converters to other formats do not support it.
    if training or any(tensor.shape[0] is not None for tensor in (*flat, *states)):
        flat = tuple(map(_of_any_batch_size, flat))
        states = list(map(_of_any_batch_size, states))

    def step_of_flat(parts: tuple[Tensor, ...], states: Any) -> tuple[Tensor, list[Tensor]]:
        return step(tree.pack_sequence_as(sequences, list(parts)), states)

    loop_step: Callable[[Any, Any], tuple[Tensor, list[Tensor]]] = step_of_flat
    if mask is not None and keras.config.backend() == "jax":
        loop_step, states = _with_output_first(step_of_flat, flat, states)
    last, outputs, states = _rnn(
        loop_step,
        flat,
        states,
        go_backwards=layer.go_backwards,
        mask=mask,
        unroll=layer.unroll,
        input_length=flat[0].shape[1] or _ANY_LENGTH,
        zero_output_for_mask=layer.zero_output_for_mask,
        return_all_outputs=layer.return_sequences,
    )
    return last, outputs, list(states)[-count:]


def _with_output_first(
    step: Callable[[Any, Any], tuple[Tensor, list[Tensor]]], inputs: Any, states: list[Tensor]
) -> tuple[Callable[[Any, Any], tuple[Tensor, list[Tensor]]], list[Tensor]]:
    """Carry the output as a first state, because Keras on JAX returns that state at a masked step.

    On other backends Keras returns the output of the last unmasked step, or zero.
    """

    def step_with_output(parts: Any, states: Any) -> tuple[Tensor, list[Tensor]]:
        output, states = step(parts, list(states[1:]))
        return output, [output, *states]

    first = tree.map_structure(lambda part: part[:, 0], inputs)
    output, _ = step(first, states)
    return step_with_output, [ops.zeros_like(output), *states]


def _of_any_batch_size(tensor: Tensor) -> Tensor:
    """Hide the batch size from TensorFlow's graph optimizer inside a graph.

    If all sizes are static and large, the optimizer accumulates the gradient of a loop in temporary
    variables. The last one is never destroyed, and the next call fails: "Already exists: Resource
    … tmp_var". See https://github.com/tensorflow/tensorflow/issues/38906.
    """
    if keras.config.backend() != "tensorflow":
        return tensor
    import tensorflow as tf

    if not tf.inside_function():
        return tensor
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=[None, *tensor.shape[1:]])
