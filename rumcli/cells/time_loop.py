"""The time loop of the plain cells: the one place that reaches into Keras's private modules.

`keras.layers.RNN` loops over one tensor; our cells loop over several that were computed for all
time steps beforehand. Keras has that loop (with masks, unrolling and backwards order, for every
backend), but not in its public names; `keras.ops.scan` has no masks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree
from keras.src import backend

Tensor = Any

# Up to Keras 3.15 it is a function, later a module that has the function in it.
_rnn = getattr(backend.rnn, "rnn", backend.rnn)

# Keras takes a missing length from `inputs.shape`, which our tuple of sequences does not have; and
# it uses the length as an upper bound only. More steps than this do not fit into its counter.
_ANY_LENGTH = 2**31 - 1


def run(
    layer: Any,
    step: Callable[[Any, Any], tuple[Tensor, list[Tensor]]],
    sequences: tuple[Any, ...],
    states: list[Tensor],
    mask: Tensor | None,
    training: bool = True,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Run `step` over time, with the options of a `keras.layers.RNN`.

    Args:
        layer: The layer whose `go_backwards`, `unroll`, `return_sequences` and
            `zero_output_for_mask` hold.
        step: `(inputs of one step, states) → (output, new states)`.
        sequences: Nested tuples of tensors `[B, T, ...]`.
        states: Tensors `[B, ...]`.
        mask: `[B, T]` boolean, or None.
        training: Whether a gradient is to be expected.

    Returns:
        The last output `[B, H]`, the outputs `[B, T, H]` and the final states, as
        `keras.layers.RNN.inner_loop` returns them.
    """
    # Keras's own loop takes a tuple of tensors, but nothing deeper.
    flat, count = tuple(tree.flatten(sequences)), len(states)
    # An exported model takes batches of any size, and its graph is to hold no more than it needs:
    # converters to other formats do not know the operation that hides a size.
    if training or any(tensor.shape[0] is not None for tensor in (*flat, *states)):
        flat = tuple(map(_of_any_batch_size, flat))
        states = list(map(_of_any_batch_size, states))

    def step_of_flat(parts: tuple[Tensor, ...], states: Any) -> tuple[Tensor, list[Tensor]]:
        return step(tree.pack_sequence_as(sequences, list(parts)), states)

    if mask is not None and keras.config.backend() == "jax":
        step_of_flat, states = _with_output_first(step_of_flat, flat, states)
    last, outputs, states = _rnn(
        step_of_flat,
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
    """Carry the output as a first state, which is what Keras on JAX returns at a masked step.

    Elsewhere it returns the output of the last step that was not masked, or zero.
    """

    def carrying(parts: Any, states: Any) -> tuple[Tensor, list[Tensor]]:
        output, states = step(parts, list(states[1:]))
        return output, [output, *states]

    first = tree.map_structure(lambda part: part[:, 0], inputs)
    output, _ = step(first, states)
    return carrying, [ops.zeros_like(output), *states]


def _of_any_batch_size(tensor: Tensor) -> Tensor:
    """Hide the size of the batch from TensorFlow's graph optimizer, inside of a graph.

    Where all sizes are known and large, it makes sums in the gradient of a loop in temporary
    variables, of which the last is left over and the next call fails: "Already exists: Resource
    … tmp_var". See https://github.com/tensorflow/tensorflow/issues/38906.
    """
    if keras.config.backend() != "tensorflow":
        return tensor
    import tensorflow as tf

    if not tf.inside_function():
        return tensor
    return tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=[None, *tensor.shape[1:]])
