"""Forward and backward formulas of one RUM step, except the rotation: gates and state update.

`RUMContext` holds the mask, zoneout and initial memory of one call of the loop.
"""

from __future__ import annotations

from typing import NamedTuple

from rumcli.cells.fused import primitives
from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec, KernelWeights, LoopInputs
from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.primitives import RecomputeCache
from rumcli.cells.tensor import Tensor


class RUMContext:
    """Arguments of one call, in the layout of a `KernelSpec`.

    Attributes:
        inputs: Inputs, a series of `[D]`.
        initial_state: Initial hidden state, vectors `[H]`.
    """

    def __init__(self, spec: KernelSpec, sequence: LoopInputs) -> None:
        self._layout = layout = spec.layout
        self._units = spec.units
        self._new_share = spec.new_share
        self._memory = sequence.memory
        self._mask = self._zoneout_mask = None
        self.inputs = layout.series_of(sequence.inputs)
        self.initial_state = layout.vectors_of(sequence.hidden_state)
        if sequence.mask is not None:
            self._mask = layout.pages_of(sequence.mask[:, :, None])
        if sequence.zoneout_mask is not None:
            self._zoneout_mask = layout.pages_of(sequence.zoneout_mask)

    def blend(self, new: Tensor, state: Tensor, time: Tensor) -> Tensor:
        """Apply zoneout and the mask to the new and the previous state."""
        if self._zoneout_mask is not None:
            new = ops.where(self._layout.read_page(self._zoneout_mask, time), new, state)
        elif self._new_share != 1.0:
            new = state + self._new_share * (new - state)
        if self._mask is not None:
            new = ops.where(self._layout.read_page(self._mask, time), new, state)
        return new

    def blend_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cotangents of the new and the previous state."""
        zero = ops.zeros_like(cotangent)
        grad_new, grad_state = cotangent, zero
        if self._mask is not None:
            is_unmasked = self._layout.read_page(self._mask, time)
            grad_new, grad_state = (
                ops.where(is_unmasked, grad_new, zero),
                ops.where(is_unmasked, zero, grad_new),
            )
        if self._zoneout_mask is not None:
            is_new = self._layout.read_page(self._zoneout_mask, time)
            grad_state += ops.where(is_new, zero, grad_new)
            grad_new = ops.where(is_new, grad_new, zero)
        elif self._new_share != 1.0:
            grad_state += (1.0 - self._new_share) * grad_new
            grad_new = self._new_share * grad_new
        return grad_new, grad_state

    def zero_where_masked(self, axis: Tensor) -> Tensor:
        """Zero the axes, pages of `[H]`, of masked steps, so that these do not rotate."""
        if self._mask is None:
            return axis
        return ops.where(self._mask, axis, ops.zeros_like(axis))

    def identity(self) -> Tensor:
        """Return identity matrices `[B, H, H]`."""
        identity = ops.eye(self._units, dtype=self.inputs.dtype)
        batch = self._layout.samples(self.inputs)
        return ops.broadcast_to(identity, (batch, self._units, self._units))

    def from_start(self, state: Tensor) -> Tensor:
        """Return `R_0 v`, with `R_0` the initial associative memory."""
        if self._memory is None:
            return state
        rows = self._layout.vectors_of(state)[:, :, None]
        return self._layout.vectors_of(ops.matmul(self._memory, rows)[:, :, 0])

    def no_cotangent(self) -> tuple[Tensor, ...]:
        """Return the initial cotangent of `R_0` for the backward loop; empty without `R_0`."""
        return () if self._memory is None else (ops.zeros_like(self._memory),)

    def from_start_backward(
        self, cotangent: Tensor, state: Tensor, grad_memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return `R_0ᵀ g` and the accumulated cotangent of `R_0`, plus `g vᵀ`.

        Args:
            cotangent: Cotangent g of `R_0 v`.
            state: Vectors v.
            grad_memory: Cotangent of `R_0` from later steps; empty without `R_0`.
        """
        if self._memory is None:
            return cotangent, ()
        rows = self._layout.vectors_of(cotangent)
        outer = rows[:, :, None] * self._layout.vectors_of(state)[:, None]
        product = ops.matmul(rows[:, None], self._memory)[:, 0]
        return self._layout.vectors_of(product), (grad_memory[0] + outer,)


class Gate(NamedTuple):
    """A gate with the intermediate values of its gradient.

    Attributes:
        value: Value of the gate.
        sigmoid: Result of the sigmoid; None for the target memory.
        normalized: Normalized argument or result of the sigmoid, before gain and offset; None
            without layer norm.
        inverse: Reciprocal standard deviation of the layer norm; None without layer norm.
    """

    value: Tensor
    sigmoid: Tensor | None = None
    normalized: Tensor | None = None
    inverse: Tensor | None = None


class Gates(NamedTuple):
    """Target memory, its reciprocal length, and the update gate or None."""

    target: Gate
    inverse_length: Tensor
    update: Gate | None

    @property
    def direction(self) -> Tensor:
        """Direction b of the target memory."""
        return self.target.value * self.inverse_length


class Mix(NamedTuple):
    """State update with the intermediate values of its gradient.

    Attributes:
        normalized: Argument of f before gain and offset; None without layer norm.
        inverse: Reciprocal standard deviation of the layer norm; None without layer norm.
        argument: Argument of f.
        activated: Result of f.
        factor: Factor of the time norm, or None.
        value: New state, before zoneout.
    """

    normalized: Tensor | None
    inverse: Tensor | None
    argument: Tensor
    activated: Tensor
    factor: Tensor | None
    value: Tensor


def statistics(spec: KernelSpec) -> list[str]:
    """Return the names of the cached statistics of a step."""
    names = ["inverse_length", "correction", "bisector_inverse"]
    names += ["axis_state", "mirror_axis", "mirror_moved"]
    if spec.time_norm is not None:
        names.append("time_norm")
    if spec.layer_norm:
        parts = ["target", "candidate"] + (["update"] if spec.update_gate else [])
        names += [f"{part}_{name}" for part in parts for name in ("mean", "inverse")]
    return names


class NormWeights(NamedTuple):
    """Gains and offsets as vectors, either broadcast over the samples or one copy per sample."""

    gate_gain: Tensor
    gate_offset: Tensor
    candidate_gain: Tensor
    candidate_offset: Tensor


def norm_weights(layout: Layout, weights: KernelWeights) -> NormWeights | None:
    """Return gains and offsets as vectors; None without layer norm."""
    if weights.gate_gain is None:
        return None
    return NormWeights(*(layout.vector(getattr(weights, name)) for name in NormWeights._fields))


class StepFormulas:
    """Formulas of one step, for a `KernelSpec` and the layer norm weights of a layer."""

    def __init__(self, spec: KernelSpec, norms: NormWeights | None) -> None:
        self._spec = spec
        self._layout = spec.layout
        if norms is not None:
            self._gate_gain, self._gate_offset, self._gain, self._offset = norms

    def gates(self, before: Tensor, cache: RecomputeCache) -> Gates:
        """Return the gates for the pre-activations `before`, vectors `[2H]`."""
        spec, layout, units = self._spec, self._layout, self._spec.units
        target = Gate(layout.part(before, None, units))
        if spec.layer_norm:
            normalized, inverse = primitives.normalize(layout, target.value, "target", cache)
            value = normalized * layout.part(self._gate_gain, None, units)
            value = value + layout.part(self._gate_offset, None, units)
            target = Gate(value, None, normalized, inverse)
        inverse = cache("inverse_length", lambda: primitives.inverse_length(layout, target.value))
        update = None
        if spec.update_gate:
            update = self._update(layout.part(before, units, None), cache)
        return Gates(target, inverse, update)

    def _update(self, before: Tensor, cache: RecomputeCache) -> Gate:
        spec, layout, units = self._spec, self._layout, self._spec.units
        if not spec.layer_norm:
            value = ops.sigmoid(before)
            return Gate(value, value)
        if spec.after_sigmoid:
            before = sigmoid = ops.sigmoid(before)
        normalized, inverse = primitives.normalize(layout, before, "update", cache)
        value = normalized * layout.part(self._gate_gain, units, None)
        value = value + layout.part(self._gate_offset, units, None)
        if not spec.after_sigmoid:
            value = sigmoid = ops.sigmoid(value)
        return Gate(value, sigmoid, normalized, inverse)

    def mix(self, candidate: Tensor, gates: Gates, state: Tensor, cache: RecomputeCache) -> Mix:
        """Return the state update.

        Args:
            candidate: Embedded input plus rotated state.
            gates: Gates of the step.
            state: Previous state.
            cache: Cache of the step's statistics.
        """
        spec, layout = self._spec, self._layout
        normalized = inverse = None
        if spec.layer_norm:
            normalized, inverse = primitives.normalize(layout, candidate, "candidate", cache)
            candidate = normalized * self._gain + self._offset
        activated = value = primitives.activate(layout, spec.activation, candidate)
        if gates.update is not None:
            update = gates.update.value
            value = update * state + (1.0 - update) * activated
        factor = None
        norm = spec.time_norm
        if norm is not None:
            factor = cache("time_norm", lambda: primitives.time_norm(layout, value, norm))
            value = factor * value
        return Mix(normalized, inverse, candidate, activated, factor, value)

    def mix_backward(
        self, mix: Mix, gates: Gates, state: Tensor, cotangent: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, list[Tensor]]:
        """Return the cotangents of the arguments of `mix`, for the cotangent of the new state.

        Returns:
            The cotangents of:

            - the candidate;
            - the update gate, None if the cell has none;
            - the previous state, None without an update gate;
            - gain and offset for each sample, empty without layer norm.
        """
        spec, layout = self._spec, self._layout
        if spec.time_norm is not None:
            cotangent = primitives.time_norm_backward(
                layout, mix.factor, mix.value, spec.time_norm, cotangent
            )
        grad_update = grad_state = None
        if gates.update is not None:
            update = gates.update.value
            grad_update = cotangent * (state - mix.activated)
            grad_state = cotangent * update
            cotangent = cotangent * (1.0 - update)
        cotangent = primitives.activate_backward(layout, spec.activation, mix.argument, cotangent)
        if not spec.layer_norm:
            return cotangent, grad_update, grad_state, []
        grad_weights = [cotangent * mix.normalized, cotangent]
        cotangent = primitives.normalize_backward(
            layout, mix.normalized, mix.inverse, cotangent * self._gain
        )
        return cotangent, grad_update, grad_state, grad_weights

    def gates_backward(
        self, gates: Gates, grad_target: Tensor, grad_update: Tensor | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the cotangents of the pre-activations, for the cotangents of the gates.

        Returns:
            The cotangents of the pre-activations of r and, with an update gate, of u; and those of
            gain and offset for each sample, of r and then of u.
        """
        spec, layout, units = self._spec, self._layout, self._spec.units
        grad_weights: list[Tensor] = []

        def through_norm(gate: Gate, cotangent: Tensor, *part: int | None) -> Tensor:
            if not spec.layer_norm:
                return cotangent
            grad_weights.extend([cotangent * gate.normalized, cotangent])
            cotangent = cotangent * layout.part(self._gate_gain, *part)
            return primitives.normalize_backward(layout, gate.normalized, gate.inverse, cotangent)

        parts = [through_norm(gates.target, grad_target, None, units)]
        if gates.update is not None:
            is_first = not (spec.layer_norm and spec.after_sigmoid)
            if is_first:
                grad_update = primitives.sigmoid_backward(gates.update.sigmoid, grad_update)
            grad_update = through_norm(gates.update, grad_update, units, None)
            if not is_first:
                grad_update = primitives.sigmoid_backward(gates.update.sigmoid, grad_update)
            parts.append(grad_update)
        return parts, grad_weights
