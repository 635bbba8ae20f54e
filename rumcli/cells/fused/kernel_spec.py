"""What a compiled loop depends on, besides the arrays that go into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from rumcli.cells.fused.layout import Layout

Tensor = Any


@dataclass(frozen=True)
class KernelSpec:
    """The options that are compiled in; two layers with equal ones share a program.

    Args:
        layout: How the vectors of all samples lie in memory.
        units: Size of the state, H.
        activation: Name of f, in `keras.activations`.
        time_norm: η, or None.
        layer_norm: Whether r, u and the argument of f are normalized.
        after_sigmoid: Whether u is normalized after its sigmoid.
        update_gate: Whether there is one.
        new_share: Share of its new value that each unit takes where zoneout does not draw.
        associative: λ = 1.
        return_sequences: Whether all outputs are wanted, or the last only.
        memory_is_used: Whether somebody wants the final associative memory.
    """

    layout: Layout
    units: int
    activation: str
    time_norm: float | None
    layer_norm: bool
    after_sigmoid: bool
    update_gate: bool
    new_share: float
    associative: bool
    return_sequences: bool
    memory_is_used: bool

    @property
    def gates(self) -> int:
        """Size of the gates: r, and u if there is one."""
        return (2 if self.update_gate else 1) * self.units


class KernelWeights(NamedTuple):
    """The weights by the names that the cells give them; None for those that it does not have."""

    gate_kernel: Tensor
    gate_bias: Tensor
    candidate_kernel: Tensor
    candidate_bias: Tensor | None
    gate_gain: Tensor | None
    gate_offset: Tensor | None
    candidate_gain: Tensor | None
    candidate_offset: Tensor | None


class LoopInputs(NamedTuple):
    """What one call works on.

    Attributes:
        inputs: `[B, T, D]`.
        hidden_state: The initial one, `[B, H]`.
        memory: The initial associative memory `[B, H, H]`, or None for the identity.
        mask: `[B, T]` boolean, or None.
        draws: `[B, T, H]` boolean, whether zoneout lets a unit take its new value; None if it does
            not draw.
    """

    inputs: Tensor
    hidden_state: Tensor
    memory: Tensor | None
    mask: Tensor | None
    draws: Tensor | None


class Residuals(NamedTuple):
    """What the forward loop keeps for the backward one.

    Attributes:
        axis: Directions of the embedded inputs, pages of `[H]`.
        length: Their lengths, pages of `[1]`.
        states: The hidden state after each step, a series of `[H]`.
        gates: r and u before any normalization and sigmoid, pages of `[2H]`.
        statistics: Numbers per sample, pages of `[n]`.
        recalled: λ = 1: `rotation_vjp.Recalled` one part after the other, pages of `[3H]`.
        memory: λ = 1: the product of all rotations `P [B, H, H]`.
    """

    axis: Tensor
    length: Tensor
    states: Tensor
    gates: Tensor
    statistics: Tensor
    recalled: Tensor | None
    memory: Tensor | None
