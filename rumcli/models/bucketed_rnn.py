"""Recurrent layer that skips the padding in front of short sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rumcli.cells.tensor import Tensor


@keras.saving.register_keras_serializable(package="rumcli", name="Trimmed")
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
        self.supports_masking = True  # the mask is an input, `there`
        self.lengths = sorted(set(lengths))
        self.backwards = backwards

    def build(self, inputs_shape: Any, there_shape: Any) -> None:
        """Build the wrapped layer for inputs `[B, T, D]`."""
        self.layer.build(inputs_shape)
        self.built = True

    def call(self, inputs: Tensor, there: Tensor, training: bool = False) -> Tensor:
        """Run the layer over the last steps of the batch.

        Args:
            inputs: Inputs `[B, T, D]`.
            there: Boolean mask `[B, T]`, true from the first step of a sequence to the last step T.
            training: Whether the layer runs in training mode.

        Returns:
            Outputs of the layer, `[B, H]`, or `[B, T, H]` with `return_sequences`.
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
        """Return None: the following layers get the mask as an input."""

    def compute_output_shape(self, inputs_shape: Any, there_shape: Any) -> Any:
        """Return the output shape of the wrapped layer."""
        return self.layer.compute_output_shape(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        layer = keras.saving.serialize_keras_object(self.layer)
        own = {"layer": layer, "lengths": self.lengths, "backwards": self.backwards}
        return {**super().get_config(), **own}

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
