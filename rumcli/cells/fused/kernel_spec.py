"""Interface of a compiled loop and its gradient; static options and arguments of that of RUM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from rumcli.cells.fused.layout import Layout
from rumcli.cells.tensor import Tensor


class InputGradients(NamedTuple):
    """Result of the backward loop.

    Attributes:
        weights: Cotangents of the weights, in the same structure.
        sequence: Cotangents of the sequence, in the same structure. None for the inputs and for
            tensors without a cotangent.
        rest: Arguments of `CompiledLoop.grad_inputs`.
    """

    weights: Any
    sequence: Any
    rest: Any


@dataclass(frozen=True)
class CompiledLoop:
    """Functions compiled by XLA. The `spec` is a static, hashable argument.

    Attributes:
        forward: `(spec, weights, sequence) → (results, residuals)`; each result is `[B, ...]`.
        backward: `(spec, weights, sequence, residuals, cotangents) → InputGradients`, with the
            cotangents of the results.
        grad_inputs: `(spec, weights, sequence, rest) →` cotangent of the inputs, with `rest` from
            `InputGradients`. Separate from `backward`, because a first layer's inputs need none.
        carried: `(spec) →` number of values per sample carried between steps, except vectors.
    """

    forward: Callable[..., tuple[list[Tensor], Any]]
    backward: Callable[..., InputGradients]
    grad_inputs: Callable[..., Tensor]
    carried: Callable[..., int]


def refusal(forward_mode: str) -> str:
    """Return the error message for unsupported derivatives.

    Args:
        forward_mode: Name of the backend's forward-mode function.
    """
    return (
        "the fused implementation has neither second-order gradients nor forward-mode ones "
        f"({forward_mode}); make the layer with implementation='plain', and for forward mode on "
        "TensorFlow call it outside of tf.function"
    )


@dataclass(frozen=True)
class KernelSpec:
    """Static options of the compiled loop; layers with equal options share one program.

    Args:
        layout: Memory layout of the vectors.
        units: Size H of the state.
        activation: Name of f in `keras.activations`.
        time_norm: Norm η of the state, or None.
        layer_norm: Whether to normalize r, u and the argument of f.
        after_sigmoid: Whether to normalize u after its sigmoid.
        update_gate: Whether the cell has an update gate.
        new_share: Weight of a unit's new value in inference, `1 − zoneout`.
        associative: Whether λ = 1.
        return_sequences: Whether to return all outputs, or only the last one.
        memory_is_used: Whether to return the final associative memory.
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
        """Total size of r and, with an update gate, u."""
        return (2 if self.update_gate else 1) * self.units


class KernelWeights(NamedTuple):
    """Weights, named as in the cells; None for weights that a cell does not have."""

    gate_kernel: Tensor
    gate_bias: Tensor
    candidate_kernel: Tensor
    candidate_bias: Tensor | None
    gate_gain: Tensor | None
    gate_offset: Tensor | None
    candidate_gain: Tensor | None
    candidate_offset: Tensor | None


class LoopInputs(NamedTuple):
    """Arguments of one call of the loop.

    Attributes:
        inputs: Inputs `[B, T, D]`.
        hidden_state: Initial hidden state `[B, H]`.
        memory: Initial associative memory `[B, H, H]`, or None for the identity.
        mask: Boolean mask `[B, T]`, or None.
        zoneout_mask: Boolean mask `[B, T, H]`, true where a unit takes its new value; None without
            random zoneout.
    """

    inputs: Tensor
    hidden_state: Tensor
    memory: Tensor | None
    mask: Tensor | None
    zoneout_mask: Tensor | None


class Residuals(NamedTuple):
    """Residuals of the forward loop for the backward loop.

    Attributes:
        axis: Directions of the embedded inputs, pages of `[H]`.
        length: Lengths of the embedded inputs, pages of `[1]`.
        states: Hidden states after each step, a series of `[H]`.
        gates: r and u before normalization and sigmoid, pages of `[2H]`.
        statistics: Cached values of `RecomputeCache`, pages of `[n]`.
        recalled: λ = 1: concatenated parts of `primitives.Recalled`, pages of `[3H]`.
        memory: λ = 1: product of all rotations `P [B, H, H]`.
    """

    axis: Tensor
    length: Tensor
    states: Tensor
    gates: Tensor
    statistics: Tensor
    recalled: Tensor | None
    memory: Tensor | None
