"""What a compiled loop over a chain of cells depends on, works on and keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.stack_cells import CellStep

Tensor = Any


@dataclass(frozen=True)
class StackSpec:
    """The options that are compiled in.

    Attributes:
        layout: How the vectors of all samples lie in memory.
        nodes: In the order in which they act.
        slots: For each node, the number of the state that it has, from 0.
        has_input: For each node, whether it gets the value; else it gets zero.
        keep: Share of the values between the nodes that dropout keeps, where it draws.
        return_sequences: Whether all outputs are wanted, or the last only.
    """

    layout: Layout
    nodes: tuple[CellStep, ...]
    slots: tuple[int, ...]
    has_input: tuple[bool, ...]
    keep: float
    return_sequences: bool


class CellWeights(NamedTuple):
    """The weights of a node.

    Attributes:
        input_kernel: `[D, N]`.
        state_kernel: `[H, M]`, M ≤ N: for the first M of the products.
        bias: `[N]`.
        vectors: What else the node's formulas have, `[·]` each.
    """

    input_kernel: Tensor
    state_kernel: Tensor
    bias: Tensor
    vectors: tuple[Tensor, ...]


class StackInputs(NamedTuple):
    """What one call works on.

    Attributes:
        inputs: `[B, T, D]`.
        states: The initial ones, slot by slot, `[B, H]` each.
        mask: `[B, T]` boolean, or None.
        zoneout: For each node and state `[B, T, H]` boolean, whether a unit takes its new value;
            None where it does not draw.
        dropout: For the value that each node gets, and last for the output, `[B, T, ·]` boolean,
            whether it stays; None where it does not draw.
    """

    inputs: Tensor
    states: tuple[tuple[Tensor, ...], ...]
    mask: Tensor | None
    zoneout: tuple[tuple[Tensor | None, ...], ...]
    dropout: tuple[Tensor | None, ...]


class CellResiduals(NamedTuple):
    """What the forward loop keeps of a node.

    Attributes:
        value: What it got, a series of `[D]`; an empty tuple for the first, which gets the
            inputs, and for a node that gets zero.
        hidden: h before the step, a series of `[H]`.
        others: Its other states before the step, pages of `[H]`.
        products: Pages of `[N]`.
    """

    value: Tensor | tuple[()]
    hidden: Tensor
    others: tuple[Tensor, ...]
    products: Tensor
