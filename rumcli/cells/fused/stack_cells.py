"""Single steps of the cells of a stack, without their matrix products.

A step maps the pre-activations and the states to the new states. Its gradient is automatic: for
straight-line formulas in a compiled loop, XLA matches hand-written gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rumcli.cells.fused import primitives, rotation_vjp
from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec
from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.primitives import RecomputeCache
from rumcli.cells.fused.rum_step import NormWeights, StepFormulas
from rumcli.cells.tensor import Tensor


@dataclass(frozen=True)
class LNLSTMStep:
    """Layer-normalized LSTM; see `rumcli.cells.ln_lstm`.

    Attributes:
        layout: Layout of the vectors.
        units: Size H of h and of c.
        forget_bias: Bias added to the argument of the forget gate f.
        new_shares: Weights of the new values of h and c in inference, `1 − zoneout` each.
    """

    layout: Layout
    units: int
    forget_bias: float
    new_shares: tuple[float, ...]

    @property
    def state_rows(self) -> int:
        """Number of pre-activations that depend on h."""
        return 4 * self.units

    def advance(
        self, products: Tensor, states: Sequence[Tensor], vectors: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new h and c.

        Args:
            products: Pre-activations of i, j, f and o before normalization, `[4H]`.
            states: Previous h and c.
            vectors: Gain and offset of the gates, `[4H]`, and of c, `[H]`, for each sample.
        """
        gate_gain, gate_offset, cell_gain, cell_offset = vectors

        def gate(number: int) -> Tensor:
            part, gain, offset = (
                self.layout.part(x, number * self.units, (number + 1) * self.units)
                for x in (products, gate_gain, gate_offset)
            )
            return self._normalized(part) * gain + offset

        kept = ops.sigmoid(gate(2) + self.forget_bias) * states[1]
        cell = kept + ops.sigmoid(gate(0)) * ops.tanh(gate(1))
        shown = ops.tanh(self._normalized(cell) * cell_gain + cell_offset)
        return [ops.sigmoid(gate(3)) * shown, cell]

    def _normalized(self, x: Tensor) -> Tensor:
        known = RecomputeCache(self.layout, ())
        return primitives.normalize(self.layout, x, "", known)[0]


@dataclass(frozen=True)
class RUMStep:
    """RUM with λ = 0; see `rumcli.cells.rum`.

    Attributes:
        recipe: Static options of the cell.
    """

    recipe: KernelSpec

    @property
    def units(self) -> int:
        """Size H of the state."""
        return self.recipe.units

    @property
    def new_shares(self) -> tuple[float, ...]:
        """Weight of the new value of h in inference, `1 − zoneout`."""
        return (self.recipe.new_share,)

    @property
    def state_rows(self) -> int:
        """Number of pre-activations that depend on h: those of the gates."""
        return self.recipe.gates

    def advance(
        self, products: Tensor, states: Sequence[Tensor], vectors: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new h.

        Args:
            products: Pre-activations of the gates, then x̃; `[2H + H]`.
            states: Previous h.
            vectors: Fields of `NormWeights`; empty without layer norm.
        """
        layout = self.recipe.layout
        state, known = states[0], RecomputeCache(layout, ())
        formulas = StepFormulas(self.recipe, NormWeights(*vectors) if vectors else None)
        embedded = layout.part(products, self.recipe.gates, None)
        inverse = primitives.inverse_length(layout, embedded)
        axis = embedded * inverse
        gates = formulas.gates(layout.part(products, None, self.recipe.gates), known)
        turn = rotation_vjp.make_rotation(layout, axis, gates.direction, inverse > 0, state, known)
        return [formulas.mix(embedded + turn.apply(state), gates, state, known).value]


CellStep = LNLSTMStep | RUMStep
