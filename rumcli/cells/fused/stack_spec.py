"""Static options, arguments and residuals of the compiled loop over a stack of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.stack_cells import CellStep
from rumcli.cells.tensor import Tensor


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
