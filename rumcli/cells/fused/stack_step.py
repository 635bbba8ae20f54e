"""Single steps of the cells of a stack, and the options, arguments and context of their loop.

A step maps the pre-activations and the states to the new states. Its gradient is automatic: for
straight-line formulas in a compiled loop, XLA matches hand-written gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import NamedTuple

from rumcli.cells.fused import primitives
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
        turn = primitives.make_rotation(layout, axis, gates.direction, inverse > 0, state, known)
        return [formulas.mix(embedded + turn.apply(state), gates, state, known).value]


CellStep = LNLSTMStep | RUMStep


@dataclass(frozen=True)
class StackSpec:
    """Static options of the compiled loop.

    Attributes:
        layout: Memory layout of the vectors.
        nodes: Cells, in order of application.
        slots: Index of each cell's group of states, from 0.
        has_input: Whether each cell receives an input; otherwise its input is zero.
        keep: Keep probability of dropout, `1 − dropout`.
        return_sequences: Whether to return all outputs, or only the last one.
    """

    layout: Layout
    nodes: tuple[CellStep, ...]
    slots: tuple[int, ...]
    has_input: tuple[bool, ...]
    keep: float
    return_sequences: bool


class CellWeights(NamedTuple):
    """Weights of a cell with N pre-activations.

    Attributes:
        input_kernel: Input kernel `[D, N]`.
        state_kernel: Recurrent kernel `[H, M]`, M ≤ N, of the first M pre-activations.
        bias: Bias `[N]`.
        vectors: Gains and offsets of the layer norms, one-dimensional each.
    """

    input_kernel: Tensor
    state_kernel: Tensor
    bias: Tensor
    vectors: tuple[Tensor, ...]


class StackInputs(NamedTuple):
    """Arguments of one call of the loop.

    Attributes:
        inputs: Inputs `[B, T, D]`.
        states: Initial states by slot, `[B, H]` each.
        mask: Boolean mask `[B, T]`, or None.
        zoneout: Boolean masks `[B, T, H]` for each cell and state, true where a unit takes its new
            value; None without random zoneout.
        dropout: Boolean masks `[B, T, ·]` for the input of each cell and for the output, true where
            a value is kept; None without dropout.
    """

    inputs: Tensor
    states: tuple[tuple[Tensor, ...], ...]
    mask: Tensor | None
    zoneout: tuple[tuple[Tensor | None, ...], ...]
    dropout: tuple[Tensor | None, ...]


class CellResiduals(NamedTuple):
    """Residuals of a cell's forward loop.

    Attributes:
        value: Inputs of the cell, a series of `[D]`. An empty tuple for the first cell, whose
            inputs are those of the loop, and for a cell with zero input.
        hidden: State h before each step, a series of `[H]`.
        others: Other states before each step, pages of `[H]`.
        products: Pre-activations, pages of `[N]`.
    """

    value: Tensor | tuple[()]
    hidden: Tensor
    others: tuple[Tensor, ...]
    products: Tensor


class StackContext:
    """Arguments of one call, in the layout of a `StackSpec`."""

    def __init__(self, recipe: StackSpec, sequence: StackInputs) -> None:
        self._recipe = recipe
        self._layout = layout = recipe.layout
        self._mask = None
        if sequence.mask is not None:
            self._mask = layout.pages_of(sequence.mask[:, :, None])
        self._zoneout = [tuple(map(self._pages, draws)) for draws in sequence.zoneout]
        first, *others = sequence.dropout
        self._of_inputs = None if first is None else layout.series_of(first)
        self._dropout = [None, *map(self._pages, others)]
        self.inputs = self.drop_all(layout.series_of(sequence.inputs))
        self.states = [[layout.vectors_of(part) for part in slot] for slot in sequence.states]

    def by_slot(self, parts: Many[Tensor]) -> list[list[Tensor]]:
        """Group a flat list of tensors, one for each state, by slots."""
        rest = iter(parts)
        return [[next(rest) for _ in slot] for slot in self.states]

    def drop_all(self, values: Tensor) -> Tensor:
        """Apply dropout to the inputs, a series, or to their cotangent."""
        if self._of_inputs is None:
            return values
        return ops.where(self._of_inputs, values / self._recipe.keep, ops.zeros_like(values))

    def drop(self, value: Tensor | None, number: int, time: Tensor) -> Tensor | None:
        """Apply dropout to the input of cell `number`, or to its cotangent.

        The number of cells as `number` selects the output of the stack.
        """
        if value is None or self._dropout[number] is None:
            return value
        stays = self._layout.read_page(self._dropout[number], time)
        return ops.where(stays, value * (1.0 / self._recipe.keep), ops.zeros_like(value))

    def show(self, value: Tensor, previous: Tensor, time: Tensor) -> Tensor:
        """Return the output of a step, or the previous one where the step is masked."""
        if self._mask is None:
            return value
        return ops.where(self._layout.read_page(self._mask, time), value, previous)

    def show_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cotangents of the step's own output and of the previous one."""
        zero = ops.zeros_like(cotangent)
        if self._mask is None:
            return cotangent, zero
        is_real = self._layout.read_page(self._mask, time)
        return ops.where(is_real, cotangent, zero), ops.where(is_real, zero, cotangent)

    def blend(
        self, after: Many[Tensor], before: Many[Tensor], number: int, time: Tensor
    ) -> list[Tensor]:
        """Apply zoneout and the mask to the new and previous states of cell `number`."""
        blended = []
        for part, (new, old) in enumerate(zip(after, before, strict=True)):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            if draws is not None:
                new = ops.where(self._layout.read_page(draws, time), new, old)
            elif share != 1.0:
                new = old + share * (new - old)
            if self._mask is not None:
                new = ops.where(self._layout.read_page(self._mask, time), new, old)
            blended.append(new)
        return blended

    def blend_backward(
        self, cotangents: Many[Tensor], number: int, time: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the cotangents of the new and the previous states of cell `number`."""
        of_after, of_before = [], []
        for part, of_new in enumerate(cotangents):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            zero = of_old = ops.zeros_like(of_new)
            if self._mask is not None:
                is_real = self._layout.read_page(self._mask, time)
                of_new, of_old = ops.where(is_real, of_new, zero), ops.where(is_real, zero, of_new)
            if draws is not None:
                is_new = self._layout.read_page(draws, time)
                of_old += ops.where(is_new, zero, of_new)
                of_new = ops.where(is_new, of_new, zero)
            elif share != 1.0:
                of_old += (1.0 - share) * of_new
                of_new = share * of_new
            of_after.append(of_new)
            of_before.append(of_old)
        return of_after, of_before

    def _pages(self, draws: Tensor | None) -> Tensor | None:
        return None if draws is None else self._layout.pages_of(draws)
