"""The Rotational Unit of Memory with λ = 1: `ARUMCell` (one step) and `ARUM` (the layer).

The associative memory is the product of all rotations so far. A rotation is the identity plus a
matrix of rank two, so that a step costs O(H²), not O(H³).
Source: arXiv:1710.09537. Only mathematics here: no files, no printing, no argument parsing.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rumcli.cells.ops.rotation import bisector, rank_two_factors, reflect
from rumcli.cells.rum import RUM, RUMCell

Tensor = Any


@keras.saving.register_keras_serializable(package="rumcli")
class ARUMCell(RUMCell):
    """One step of the Rotational Unit of Memory, λ = 1: with an associative memory.

    As `RUMCell`, with a second state, the orthogonal matrix `R [B, H, H]`, at first the identity:

        R_t = R_{t−1} · Rotation(x̃ → r)
        h̃   = f(x̃ + R_t h)

    The states are `h [B, H]` and `R` row by row, `[B, H·H]`, because `keras.layers.RNN` knows
    states of rank two only. The arguments are those of `RUMCell`.

    Source: arXiv:1710.09537, section 3.1.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.state_size = [self.units, self.units * self.units]

    def recall(
        self, axis: Tensor, direction: Tensor, hidden_state: Tensor, memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Rotate the associative memory, and the hidden state by it.

        Args:
            axis: Direction of the embedded input, `[B, H]`, of length 1 or 0.
            direction: Direction of the target memory, `[B, H]`, of length 1 or 0.
            hidden_state: `[B, H]`.
            memory: The associative memory, row by row, `[B, H·H]`.

        Returns:
            The rotated state `[B, H]` and the new memory.
        """
        matrix = ops.reshape(memory[0], (-1, self.units, self.units))
        mirror = bisector(axis, direction)
        rotated = reflect(mirror, reflect(axis, hidden_state))
        left, right = rank_two_factors(axis, mirror)
        # R_t h = R_{t−1} (Rotation · h): one pass over the old matrix serves the recall and the
        # update.
        products = ops.matmul(matrix, ops.stack([*left, rotated], axis=-1))
        matrix = matrix + ops.matmul(products[..., :2], ops.stack(right, axis=-2))
        return products[..., 2], [ops.reshape(matrix, (-1, self.units * self.units))]

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the states before the first step: zeros `[B, H]` and identities `[B, H·H]`."""
        identity = ops.reshape(ops.eye(self.units, dtype=self.compute_dtype), (1, -1))
        hidden_state, _ = super().get_initial_state(batch_size)
        return [hidden_state, ops.tile(identity, (batch_size, 1))]


@keras.saving.register_keras_serializable(package="rumcli")
class ARUM(RUM):
    """The Rotational Unit of Memory, λ = 1, over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`. The
    states are the hidden state `[B, H]` and the associative memory row by row, `[B, H·H]`. The
    arguments are those of `RUM`.

    Source: arXiv:1710.09537, section 3.1.
    """

    cell_class = ARUMCell

    def reset_state(self) -> None:
        """Return a stateful layer to its initial state: an empty memory is the identity."""
        if self.states is not None:
            initial = self.get_initial_state(self.states[0].shape[0])
            for variable, value in zip(self.states, initial, strict=True):
                variable.assign(value)
