"""A recurrent layer that spares itself the padding in front of short sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="rumcli", name="Trimmed")
class BucketedRNN(keras.layers.Layer):
    """Runs a layer over the end of its inputs, where the sequences are.

    The fused loop needs to know the number of steps when it is compiled; so there is one loop for
    each of a few numbers, and a batch takes the first that holds its longest sequence. That changes
    no result: a masked step leaves the state as it is. On other backends than TensorFlow there is
    one loop for all lengths.

    Args:
        layer: A `keras.layers.RNN`; with `return_sequences` the outputs of what was spared are 0.
        lengths: Numbers of steps; the largest is that of the inputs.
        backwards: Whether to run from the end; the outputs are in the order of the inputs.
        **kwargs: Those of `keras.layers.Layer`.
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
        self.supports_masking = True  # it is told what is there, and needs no mask
        self.lengths = sorted(set(lengths))
        self.backwards = backwards

    def build(self, inputs_shape: Any, there_shape: Any) -> None:
        """Build the layer for inputs `[B, T, D]`."""
        self.layer.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor, there: Tensor, training: bool = False) -> Tensor:
        """Run over the end of every sequence.

        Args:
            inputs: `[B, T, D]`.
            there: `[B, T]`, the mask: true where there is something: from some step on to the end.
            training: As for the layer.
        """
        if keras.backend.backend() != "tensorflow" or len(self.lengths) == 1:
            return self._run(inputs, there, training)
        longest = ops.max(ops.sum(ops.cast(there, "int32"), axis=1), initial=0)
        branch = ops.sum(ops.cast(longest > ops.array(self.lengths[:-1]), "int32"))
        branches = [self._run_over(length, training) for length in self.lengths]
        return ops.switch(branch, branches, inputs, there)

    def _run_over(self, length: int, training: bool) -> Any:
        def run(inputs: Tensor, there: Tensor) -> Tensor:
            spared = inputs.shape[1] - length
            outputs = self._run(inputs[:, spared:], there[:, spared:], training)
            if self.layer.return_sequences:
                outputs = ops.pad(outputs, [[0, 0], [spared, 0], [0, 0]])
            return outputs

        return run

    def _run(self, inputs: Tensor, there: Tensor, training: bool) -> Tensor:
        if not self.backwards:
            return self.layer(inputs, mask=there, training=training)
        turned, mask = ops.flip(inputs, axis=1), ops.flip(there, axis=1)
        outputs = self.layer(turned, mask=mask, training=training)
        return ops.flip(outputs, axis=1) if self.layer.return_sequences else outputs

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return no mask: whoever comes next is told what is there."""

    def compute_output_shape(self, inputs_shape: Any, there_shape: Any) -> Any:
        """Return the shape of the layer's outputs."""
        return self.layer.compute_output_shape(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        layer = keras.saving.serialize_keras_object(self.layer)
        own = {"layer": layer, "lengths": self.lengths, "backwards": self.backwards}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BucketedRNN:
        """Make the layer from what `get_config` returned."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def bucket_lengths(sizes: Sequence[int], most: int = 4) -> list[int]:
    """Choose numbers of steps that waste the least, if each sequence takes the first that holds it.

    Args:
        sizes: Of the sequences, in steps.
        most: How many there may be; each is a program to compile.

    Returns:
        Some of the sizes, the largest among them, in order.
    """
    values, counts = np.unique(np.asarray(sizes), return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    # What all sequences up to each of the values cost with one length for them all, and then with
    # one more: those up to some value as before, those between with the value itself.
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
