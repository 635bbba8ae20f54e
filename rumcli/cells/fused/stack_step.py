"""Single steps of the cells of a stack, and the options, arguments and context of their loop.

A step maps the pre-activations and the states to the new states. Its gradient is automatic: for
straight-line formulas in a compiled loop, XLA matches hand-written gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
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

        retained = ops.sigmoid(gate(2) + self.forget_bias) * states[1]
        cell = retained + ops.sigmoid(gate(0)) * ops.tanh(gate(1))
        output = ops.tanh(self._normalized(cell) * cell_gain + cell_offset)
        return [ops.sigmoid(gate(3)) * output, cell]

    def _normalized(self, x: Tensor) -> Tensor:
        cache = RecomputeCache(self.layout, ())
        return primitives.normalize(self.layout, x, "", cache)[0]


@dataclass(frozen=True)
class RUMStep:
    """RUM with λ = 0; see `rumcli.cells.rum`.

    Attributes:
        spec: Static options of the cell.
    """

    spec: KernelSpec

    @property
    def units(self) -> int:
        """Size H of the state."""
        return self.spec.units

    @property
    def new_shares(self) -> tuple[float, ...]:
        """Weight of the new value of h in inference, `1 − zoneout`."""
        return (self.spec.new_share,)

    @property
    def state_rows(self) -> int:
        """Number of pre-activations that depend on h: those of the gates."""
        return self.spec.gates

    def advance(
        self, products: Tensor, states: Sequence[Tensor], vectors: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the new h.

        Args:
            products: Pre-activations of the gates, then x̃; `[2H + H]`.
            states: Previous h.
            vectors: Fields of `NormWeights`; empty without layer norm.
        """
        layout = self.spec.layout
        state, cache = states[0], RecomputeCache(layout, ())
        formulas = StepFormulas(self.spec, NormWeights(*vectors) if vectors else None)
        embedded = layout.part(products, self.spec.gates, None)
        inverse = primitives.inverse_length(layout, embedded)
        axis = embedded * inverse
        gates = formulas.gates(layout.part(products, None, self.spec.gates), cache)
        rotation = primitives.make_rotation(
            layout, axis, gates.direction, inverse > 0, state, cache
        )
        return [formulas.mix(embedded + rotation.apply(state), gates, state, cache).value]


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

    def __init__(self, spec: StackSpec, sequence: StackInputs) -> None:
        self._spec = spec
        self._layout = layout = spec.layout
        self._mask = None
        if sequence.mask is not None:
            self._mask = layout.pages_of(sequence.mask[:, :, None])
        self._zoneout = [tuple(map(self._pages, masks)) for masks in sequence.zoneout]
        first, *others = sequence.dropout
        self._input_mask = None if first is None else layout.series_of(first)
        self._dropout = [None, *map(self._pages, others)]
        self.inputs = self.drop_all(layout.series_of(sequence.inputs))
        self.states = [[layout.vectors_of(part) for part in slot] for slot in sequence.states]

    def by_slot(self, parts: Sequence[Tensor]) -> list[list[Tensor]]:
        """Group a flat list of tensors, one for each state, by slots."""
        rest = iter(parts)
        return [[next(rest) for _ in slot] for slot in self.states]

    def drop_all(self, values: Tensor) -> Tensor:
        """Apply dropout to the inputs, a series, or to their cotangent."""
        if self._input_mask is None:
            return values
        return ops.where(self._input_mask, values / self._spec.keep, ops.zeros_like(values))

    def drop(self, value: Tensor | None, number: int, time: Tensor) -> Tensor | None:
        """Apply dropout to the input of cell `number`, or to its cotangent.

        The number of cells as `number` selects the output of the stack.
        """
        if value is None or self._dropout[number] is None:
            return value
        stays = self._layout.read_page(self._dropout[number], time)
        return ops.where(stays, value * (1.0 / self._spec.keep), ops.zeros_like(value))

    def mask_output(self, value: Tensor, previous: Tensor, time: Tensor) -> Tensor:
        """Return the output of a step, or the previous one where the step is masked."""
        if self._mask is None:
            return value
        return ops.where(self._layout.read_page(self._mask, time), value, previous)

    def mask_output_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cotangents of the step's own output and of the previous one."""
        zero = ops.zeros_like(cotangent)
        if self._mask is None:
            return cotangent, zero
        is_unmasked = self._layout.read_page(self._mask, time)
        return ops.where(is_unmasked, cotangent, zero), ops.where(is_unmasked, zero, cotangent)

    def blend(
        self, after: Sequence[Tensor], before: Sequence[Tensor], number: int, time: Tensor
    ) -> list[Tensor]:
        """Apply zoneout and the mask to the new and previous states of cell `number`."""
        blended = []
        for part, (new, old) in enumerate(zip(after, before, strict=True)):
            mask, share = self._zoneout[number][part], self._spec.nodes[number].new_shares[part]
            if mask is not None:
                new = ops.where(self._layout.read_page(mask, time), new, old)
            elif share != 1.0:
                new = old + share * (new - old)
            if self._mask is not None:
                new = ops.where(self._layout.read_page(self._mask, time), new, old)
            blended.append(new)
        return blended

    def blend_backward(
        self, cotangents: Sequence[Tensor], number: int, time: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the cotangents of the new and the previous states of cell `number`."""
        grad_after, grad_before = [], []
        for part, grad_new in enumerate(cotangents):
            mask, share = self._zoneout[number][part], self._spec.nodes[number].new_shares[part]
            zero = grad_old = ops.zeros_like(grad_new)
            if self._mask is not None:
                is_unmasked = self._layout.read_page(self._mask, time)
                grad_new, grad_old = (
                    ops.where(is_unmasked, grad_new, zero),
                    ops.where(is_unmasked, zero, grad_new),
                )
            if mask is not None:
                is_new = self._layout.read_page(mask, time)
                grad_old += ops.where(is_new, zero, grad_new)
                grad_new = ops.where(is_new, grad_new, zero)
            elif share != 1.0:
                grad_old += (1.0 - share) * grad_new
                grad_new = share * grad_new
            grad_after.append(grad_new)
            grad_before.append(grad_old)
        return grad_after, grad_before

    def _pages(self, mask: Tensor | None) -> Tensor | None:
        return None if mask is None else self._layout.pages_of(mask)
