"""Recurrent layer with states as inputs and outputs, for exported models.

`StatefulRNN` instead stores the states as weights, for a fixed number of streams.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.tensor import Tensor


@keras.saving.register_keras_serializable(package="rumcli", name="Continued")
class ExplicitStateRNN(keras.layers.Layer):
    """Wrapper that passes the states of a recurrent layer as explicit inputs and outputs.

    Args:
        layer: Wrapped `keras.layers.RNN` with `return_sequences` and `return_state`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If the layer lacks `return_sequences` or `return_state`.
    """

    def __init__(self, layer: keras.layers.RNN, **kwargs: Any) -> None:
        if not (layer.return_sequences and layer.return_state):
            raise ValueError("the layer must have return_sequences=True and return_state=True")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, inputs_shape: Any, begins_shape: Any, states_shape: Any) -> None:
        """Build the wrapped layer for inputs `[B, T, D]`."""
        if not self.layer.built:
            self.layer.build(inputs_shape)
        self.built = True

    def call(
        self, inputs: Tensor, begins: Tensor, states: list[Tensor], training: bool = False
    ) -> list[Tensor]:
        """Run the layer over the next steps of every sample.

        Args:
            inputs: Inputs `[B, T, D]`.
            begins: Flags `[B]`, nonzero where a new text begins. There the initial states of the
                layer replace `states`.
            states: State tensors, `[B, ...]` each.
            training: Whether the layer runs in training mode.

        Returns:
            The outputs `[B, T, H]` and the states after the last step.
        """
        is_new = ops.expand_dims(begins != 0, -1)
        initial = self.layer.get_initial_state(ops.shape(inputs)[0])
        states = [
            ops.where(is_new, ops.cast(first, state.dtype), state)
            for first, state in zip(initial, states, strict=True)
        ]
        outputs, *after = self.layer(inputs, initial_state=states, training=training)
        return [outputs, *(ops.cast(a, s.dtype) for a, s in zip(after, states, strict=True))]

    def compute_output_shape(self, inputs_shape: Any, begins_shape: Any, states_shape: Any) -> Any:
        """Return the output shape `[B, T, H]` and the shapes of the states."""
        return [self.layer.compute_output_shape(inputs_shape)[0], *states_shape]

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        layer = keras.saving.serialize_keras_object(self.layer)
        return {**super().get_config(), "layer": layer}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> ExplicitStateRNN:
        """Create the layer from the result of `get_config`."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)
