"""The cells that a chain is made of: one step each on columns `[H, B]`, without matrix products.

A node says how its new states follow from what its products gave. The gradient is TensorFlow's own:
of straight formulas, inside the compiled loop, XLA makes nothing worse than what a hand writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from rumcli.cells.kernels import columns, recall
from rumcli.cells.kernels.columns import Statistics
from rumcli.cells.kernels.recipe import Recipe
from rumcli.cells.kernels.step import NormWeights, StepFormulas

Tensor = Any


@dataclass(frozen=True)
class LNLSTMNode:
    """The layer-normalised LSTM; see `rumcli.cells.ln_lstm`.

    Attributes:
        units: Size of h and of c, H.
        forget_bias: Added to f.
        new_shares: Share of their new values that h and c take where zoneout does not draw.
    """

    units: int
    forget_bias: float
    new_shares: tuple[float, ...]

    @property
    def state_rows(self) -> int:
        """Number of rows of the product with h."""
        return 4 * self.units

    def advance(
        self, products: Tensor, states: Sequence[Tensor], vectors: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new h and c.

        Args:
            products: i, j, f, o before their normalisation, `[4H, B]`.
            states: h and c, `[H, B]` each.
            vectors: Gain and offset of the gates `[4H, B]`, of c `[H, B]`.
        """
        gate_gain, gate_offset, cell_gain, cell_offset = vectors

        def gate(number: int) -> Tensor:
            rows = slice(number * self.units, (number + 1) * self.units)
            return _normalised(products[rows]) * gate_gain[rows] + gate_offset[rows]

        kept = tf.sigmoid(gate(2) + self.forget_bias) * states[1]
        cell = kept + tf.sigmoid(gate(0)) * tf.tanh(gate(1))
        shown = tf.tanh(_normalised(cell) * cell_gain + cell_offset)
        return [tf.sigmoid(gate(3)) * shown, cell]


@dataclass(frozen=True)
class RUMNode:
    """RUM with λ = 0; see `rumcli.cells.rum`.

    Attributes:
        recipe: Its options.
    """

    recipe: Recipe

    @property
    def units(self) -> int:
        """Size of the state, H."""
        return self.recipe.units

    @property
    def new_shares(self) -> tuple[float, ...]:
        """Share of its new value that h takes where zoneout does not draw."""
        return (self.recipe.new_share,)

    @property
    def state_rows(self) -> int:
        """Number of rows of the product with h: the gates."""
        return self.recipe.gates

    def advance(
        self, products: Tensor, states: Sequence[Tensor], vectors: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new h.

        Args:
            products: The gates before normalisation and sigmoid, then x̃; `[2H + H, B]`.
            states: h, `[H, B]`.
            vectors: As `NormWeights`, or none.
        """
        state, known = states[0], Statistics(())
        formulas = StepFormulas(self.recipe, NormWeights(*vectors) if vectors else None)
        embedded = products[self.recipe.gates :]
        axis = embedded * columns.inverse_length(embedded)
        gates = formulas.gates(products[: self.recipe.gates], known)
        turn = recall.make_turn(axis, gates.direction, state, known)
        return [formulas.mix(embedded + turn.apply(state), gates, state, known).value]


Node = LNLSTMNode | RUMNode


def _normalised(x: Tensor) -> Tensor:
    return columns.normalise(x, "", Statistics(()))[0]
