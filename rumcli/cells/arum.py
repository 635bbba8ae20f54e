"""Rotational Unit of Memory with λ = 1: `ARUMCell` (one step) and `ARUM` (layer).

The associative memory is the product of all previous rotations. A rotation is the identity plus a
rank-two matrix, so a step costs O(H²) instead of O(H³).
Source: arXiv:1710.09537. Pure math, no I/O.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.fused import dispatch
from rumcli.cells.ops.rotation import bisector, rank_two_factors, reflect
from rumcli.cells.rum import RUM, RUMCell
from rumcli.cells.tensor import Tensor


@dispatch.register("rumcli.cells.fused.layer_adapter:arum")
@keras.saving.register_keras_serializable(package="rumcli")
class ARUMCell(RUMCell):
    """One step of the Rotational Unit of Memory, λ = 1: a RUM with associative memory.

    Extends `RUMCell` by a second state, the orthogonal matrix `R [B, H, H]`, initially the
    identity:

        R_t = R_{t−1} · Rotation(x̃ → r)
        h̃   = f(x̃ + R_t h)

    The states are `h [B, H]` and `R` flattened by rows, `[B, H·H]`, because `keras.layers.RNN`
    supports rank-two states only.

    Args:
        units: Size of the state, H.
        **kwargs: Arguments of `RUMCell`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1710.09537, section 3.1.

    Example:
        >>> from rumcli.cells import ARUMCell
        >>> ARUMCell(16).state_size
        [16, 256]
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [self.units, self.units * self.units]

    def recall(
        self, axis: Tensor, direction: Tensor, hidden_state: Tensor, memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Update the associative memory and apply it to the hidden state.

        Args:
            axis: Direction of the embedded input, `[B, H]`, of length 1 or 0.
            direction: Direction of the target memory, `[B, H]`, of length 1 or 0.
            hidden_state: Hidden state `[B, H]`.
            memory: List of one tensor, the associative memory flattened by rows, `[B, H·H]`.

        Returns:
            The rotated state `[B, H]` and the new memory.
        """
        matrix = ops.reshape(memory[0], (-1, self.units, self.units))
        mirror = bisector(axis, direction)
        rotated = reflect(mirror, reflect(axis, hidden_state))
        left, right = rank_two_factors(axis, mirror)
        # R_t h = R_{t−1} (Rotation · h): one product with the old matrix yields both the
        # recall and the update.
        products = ops.matmul(matrix, ops.stack([*left, rotated], axis=-1))
        matrix = matrix + ops.matmul(products[..., :2], ops.stack(right, axis=-2))
        return products[..., 2], [ops.reshape(matrix, (-1, self.units * self.units))]

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the initial states: zeros `[B, H]` and identity matrices `[B, H·H]`."""
        identity = ops.reshape(ops.eye(self.units, dtype=self.compute_dtype), (1, -1))
        hidden_state, _ = super().get_initial_state(batch_size)
        return [hidden_state, ops.tile(identity, (batch_size, 1))]


@keras.saving.register_keras_serializable(package="rumcli")
class ARUM(RUM):
    """Rotational Unit of Memory, λ = 1, over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`. The
    states are the hidden state `[B, H]` and the associative memory flattened by rows, `[B, H·H]`.

    Args:
        units: Size of the state, H.
        **kwargs: Further arguments of `RUM`, such as `time_norm`.

    Raises:
        ValueError: If an argument is out of range, or `implementation="fused"` is unsupported.

    Source: arXiv:1710.09537, section 3.1.

    Example:
        >>> from rumcli.cells import ARUM
        >>> layer = ARUM(16, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    cell_class = ARUMCell
