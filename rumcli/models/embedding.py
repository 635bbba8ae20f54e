"""Vectors for symbols, as a matrix product."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.ops.normalization import draw_at_full_precision

Tensor = Any


@keras.saving.register_keras_serializable(package="rumcli")
class OneHotEmbedding(keras.layers.Layer):
    """Gives each symbol a vector: its one-hot vector times a matrix.

    For an alphabet of characters that is faster than `keras.layers.Embedding`, whose gradient is
    a list of vectors to be added up by symbol, and that gradient is the same at every run.

    Args:
        symbols: Number of different symbols, V.
        units: Size of the vectors, E.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, symbols: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.symbols = symbols
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Create the matrix, orthogonal at first."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.symbols, self.units),
            initializer=draw_at_full_precision("orthogonal"),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors `[..., E]` of symbols `[...]`."""
        return ops.matmul(ops.one_hot(inputs, self.symbols, dtype=self.compute_dtype), self.kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return `[..., E]`."""
        return (*input_shape, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        return {**super().get_config(), "symbols": self.symbols, "units": self.units}
