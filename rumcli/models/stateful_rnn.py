"""Recurrent layer that carries its state from one batch to the next.

Keras's `stateful=True` supports one batch size. A run trains on many streams of a text and
evaluates on few, and each stream has its own state.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.tensor import Tensor


class StatefulRNN(keras.layers.Layer):
    """Wrapper that starts a layer from its final state for the previous batch of the same streams.

    The states are non-trainable weights and are therefore saved in checkpoints.

    Args:
        layer: Wrapped `keras.layers.RNN` with `return_sequences` and `return_state`.
        training_streams: Number of samples in a training batch.
        evaluation_streams: Number of samples in an evaluation batch.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If the layer lacks `return_sequences` or `return_state`.
    """

    def __init__(
        self,
        layer: keras.layers.RNN,
        training_streams: int,
        evaluation_streams: int,
        **kwargs: Any,
    ) -> None:
        if not (layer.return_sequences and layer.return_state):
            raise ValueError("the layer must have return_sequences=True and return_state=True")
        super().__init__(**kwargs)
        self.layer = layer
        self.training_streams = training_streams
        self.evaluation_streams = evaluation_streams

    def build(self, inputs_shape: Any, begins_shape: Any) -> None:
        """Build the wrapped layer for inputs `[S, T, D]` and create both sets of states."""
        self.layer.build(inputs_shape)
        self.training_states = self._add_states(self.training_streams, "training_state")
        self.evaluation_states = self._add_states(self.evaluation_streams, "evaluation_state")
        self.built = True

    def call(self, inputs: Tensor, begins: Tensor, training: bool = False) -> Tensor:
        """Run the layer over the next window of every stream.

        A stream whose state becomes non-finite is reset to the initial state. A batch of a
        different size does not belong to the streams: it starts from the initial state, and its
        final state is discarded.

        Args:
            inputs: Inputs `[S, T, D]`.
            begins: Flags `[S]`, nonzero where a stream begins with this window and starts from the
                initial state.
            training: Whether the batch is a window of the training streams.

        Returns:
            The outputs `[S, T, H]`.
        """
        carried = self.training_states if training else self.evaluation_states
        streams = self.training_streams if training else self.evaluation_streams
        # On JAX, Keras infers shapes from a training batch with `training=False`.
        if inputs.shape[0] not in (None, streams):
            return self.layer(inputs, training=training)[0]
        is_new = ops.expand_dims(begins != 0, -1)
        initial = self.layer.get_initial_state(streams)
        states = [
            ops.where(is_new, ops.cast(first, state.dtype), ops.convert_to_tensor(state))
            for first, state in zip(initial, carried, strict=True)
        ]
        outputs, *after = self.layer(inputs, initial_state=states, training=training)
        for state, value, first in zip(carried, after, initial, strict=True):
            # A skipped step must not affect later steps.
            is_finite = ops.all(ops.isfinite(value), axis=-1, keepdims=True)
            state.assign(ops.cast(ops.where(is_finite, value, first), state.dtype))
        return outputs

    def compute_output_shape(self, inputs_shape: Any, begins_shape: Any) -> Any:
        """Return the output shape `[S, T, H]`."""
        return self.layer.compute_output_shape(inputs_shape)[0]

    def _add_states(self, streams: int, name: str) -> list[keras.Variable]:
        return [
            self.add_weight(
                name=name,
                shape=tuple(first.shape),
                initializer=lambda shape, dtype, first=first: ops.cast(first, dtype),
                trainable=False,
            )
            for first in self.layer.get_initial_state(streams)
        ]
