"""Wrappers of recurrent layers: carried or explicit states, similar lengths, single steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

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

    def build(self, inputs_shape: Any, reset_shape: Any) -> None:
        """Build the wrapped layer for inputs `[S, T, D]` and create both sets of states."""
        self.layer.build(inputs_shape)
        self.training_states = self._add_states(self.training_streams, "training_state")
        self.evaluation_states = self._add_states(self.evaluation_streams, "evaluation_state")
        self.built = True

    def call(self, inputs: Tensor, reset: Tensor, training: bool = False) -> Tensor:
        """Run the layer over the next window of every stream.

        A stream whose state becomes non-finite is reset to the initial state. A batch of a
        different size does not belong to the streams: it starts from the initial state, and its
        final state is discarded.

        Args:
            inputs: Inputs `[S, T, D]`.
            reset: Flags `[S]`, nonzero where a stream begins with this window and starts from the
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
        is_new = ops.expand_dims(reset != 0, -1)
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

    def compute_output_shape(self, inputs_shape: Any, reset_shape: Any) -> Any:
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


@keras.saving.register_keras_serializable(package="rumcli")
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

    def build(self, inputs_shape: Any, reset_shape: Any, states_shape: Any) -> None:
        """Build the wrapped layer for inputs `[B, T, D]`."""
        if not self.layer.built:
            self.layer.build(inputs_shape)
        self.built = True

    def call(
        self, inputs: Tensor, reset: Tensor, states: list[Tensor], training: bool = False
    ) -> list[Tensor]:
        """Run the layer over the next steps of every sample.

        Args:
            inputs: Inputs `[B, T, D]`.
            reset: Flags `[B]`, nonzero where a new text begins. There the initial states of the
                layer replace `states`.
            states: State tensors, `[B, ...]` each.
            training: Whether the layer runs in training mode.

        Returns:
            The outputs `[B, T, H]` and the states after the last step.
        """
        is_new = ops.expand_dims(reset != 0, -1)
        initial = self.layer.get_initial_state(ops.shape(inputs)[0])
        states = [
            ops.where(is_new, ops.cast(first, state.dtype), state)
            for first, state in zip(initial, states, strict=True)
        ]
        outputs, *after = self.layer(inputs, initial_state=states, training=training)
        return [outputs, *(ops.cast(a, s.dtype) for a, s in zip(after, states, strict=True))]

    def compute_output_shape(self, inputs_shape: Any, reset_shape: Any, states_shape: Any) -> Any:
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


@keras.saving.register_keras_serializable(package="rumcli")
class BucketedRNN(keras.layers.Layer):
    """Wrapper that runs a layer over the last steps of left-padded sequences.

    The fused loop requires a static number of steps. The wrapper therefore compiles one loop for
    each of a few lengths, and a batch uses the shortest one that fits its longest sequence. Results
    do not change, because a masked step leaves the state unchanged. On backends other than
    TensorFlow there is a single loop for all lengths.

    Args:
        layer: Wrapped `keras.layers.RNN`. With `return_sequences`, outputs of skipped steps are 0.
        lengths: Numbers of steps to compile; the largest equals the number of input steps.
        backwards: Whether to process the steps in reverse; the outputs keep the input order.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        layer: keras.layers.RNN,
        lengths: Sequence[int],
        backwards: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.layer = layer
        self.supports_masking = True  # the mask is an input
        self.lengths = sorted(set(lengths))
        self.backwards = backwards

    def build(self, inputs_shape: Any, padding_mask_shape: Any) -> None:
        """Build the wrapped layer for inputs `[B, T, D]`."""
        self.layer.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor, padding_mask: Tensor, training: bool = False) -> Tensor:
        """Run the layer over the last steps of the batch.

        Args:
            inputs: Inputs `[B, T, D]`.
            padding_mask: Boolean mask `[B, T]`, true from the first step of a sequence to step T.
            training: Whether the layer runs in training mode.

        Returns:
            Outputs of the layer, `[B, H]`, or `[B, T, H]` with `return_sequences`.
        """
        if keras.backend.backend() != "tensorflow" or len(self.lengths) == 1:
            return self._run(inputs, padding_mask, training)
        longest = ops.max(ops.sum(ops.cast(padding_mask, "int32"), axis=1), initial=0)
        branch = ops.sum(ops.cast(longest > ops.array(self.lengths[:-1]), "int32"))
        branches = [self._run_over(length, training) for length in self.lengths]
        return ops.switch(branch, branches, inputs, padding_mask)

    def _run_over(self, length: int, training: bool) -> Any:
        def run(inputs: Tensor, padding_mask: Tensor) -> Tensor:
            skipped = inputs.shape[1] - length
            outputs = self._run(inputs[:, skipped:], padding_mask[:, skipped:], training)
            if self.layer.return_sequences:
                outputs = ops.pad(outputs, [[0, 0], [skipped, 0], [0, 0]])
            return outputs

        return run

    def _run(self, inputs: Tensor, padding_mask: Tensor, training: bool) -> Tensor:
        if not self.backwards:
            return self.layer(inputs, mask=padding_mask, training=training)
        inputs, padding_mask = ops.flip(inputs, axis=1), ops.flip(padding_mask, axis=1)
        outputs = self.layer(inputs, mask=padding_mask, training=training)
        return ops.flip(outputs, axis=1) if self.layer.return_sequences else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return None: the following layers get the mask as an input."""

    def compute_output_shape(self, inputs_shape: Any, padding_mask_shape: Any) -> Any:
        """Return the output shape of the wrapped layer."""
        return self.layer.compute_output_shape(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        layer = keras.saving.serialize_keras_object(self.layer)
        config = {"layer": layer, "lengths": self.lengths, "backwards": self.backwards}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BucketedRNN:
        """Create the layer from the result of `get_config`."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def bucket_lengths(sizes: Sequence[int], most: int = 4) -> list[int]:
    """Choose the bucket lengths that minimize the total number of computed steps.

    Each sequence is assigned to the shortest bucket that fits it.

    Args:
        sizes: Lengths of the sequences, in steps.
        most: Maximum number of buckets. Each bucket adds compilation time.

    Returns:
        A sorted subset of the sizes that includes the largest.
    """
    values, counts = np.unique(np.asarray(sizes), return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    # Dynamic program: `cost[n]` is the number of steps for all sequences up to `values[n]`, first
    # with a single bucket, then with one more bucket in each iteration. `split[n, m]` adds to
    # `cost[m]` a bucket of length `values[n]` for the sequences in between.
    cost = values * below[1:]
    chosen = [[value] for value in values]
    for _ in range(min(most, len(values)) - 1):
        split = cost[None] + values[:, None] * (below[1:, None] - below[None, 1:])
        split[np.triu_indices(len(values))] = cost.max() + 1
        best = split.argmin(axis=1)
        better = split.min(axis=1) < cost
        chosen = [
            [*chosen[best[n]], values[n]] if better[n] else chosen[n] for n in range(len(values))
        ]
        cost = np.minimum(cost, split.min(axis=1))
    return [int(length) for length in chosen[-1]]


class Stepper(keras.Model):
    """Character model that processes a single time step, without loops over time.

    Inputs are a list of the symbols `[S]` and the states; outputs are a list of the logits `[S, V]`
    and the new states.

    Args:
        model: Character model created by `CharLM.model`; its weights are shared.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="one_step")
        self.parts = [
            layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
        ]

    def first_states(self) -> list[np.ndarray]:
        """Return the initial states of a single stream."""
        return [
            ops.convert_to_numpy(state)
            for part in self.parts
            if isinstance(part, StatefulRNN)
            for state in part.layer.get_initial_state(1)
        ]

    def call(self, inputs: list[Tensor]) -> list[Tensor]:
        """Advance by one step."""
        value, *before = inputs
        after: list[Tensor] = []
        for part in self.parts:
            if isinstance(part, StatefulRNN):
                count = len(part.layer.state_size)
                value, states = part.layer.cell(value, before[:count])
                before = before[count:]
                after += tree.flatten(states)
            else:
                value = part(value)
        return [value, *after]
