"""Embedding of symbols as a matrix product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.ops.normalization import draw_at_full_precision
from rumcli.cells.tensor import Tensor


@keras.saving.register_keras_serializable(package="rumcli")
class OneHotEmbedding(keras.layers.Layer):
    """Embedding computed as the product of one-hot vectors and a matrix.

    For small vocabularies such as characters this is faster than `keras.layers.Embedding`, whose
    gradient is a sparse list of vectors to sum by symbol. The gradient is also deterministic.

    Args:
        symbols: Size of the vocabulary, V.
        units: Size of the vectors, E.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, symbols: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.symbols = symbols
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Create the embedding matrix with an orthogonal initializer."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.symbols, self.units),
            initializer=draw_at_full_precision("orthogonal"),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors `[..., E]` of integer symbols `[...]`."""
        return ops.matmul(ops.one_hot(inputs, self.symbols, dtype=self.compute_dtype), self.kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape `[..., E]`."""
        return (*input_shape, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        return {**super().get_config(), "symbols": self.symbols, "units": self.units}
