"""One step of RUM without its recall: the gates before it and the mixing after it, both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

from rumcli.cells.fused import primitives
from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec, KernelWeights
from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.primitives import RecomputeCache

Tensor = Any


class Gate(NamedTuple):
    """A gate, and what its gradient needs.

    Attributes:
        value: Its value.
        sigmoid: Of what; None for the target memory, which has none.
        normalized: The argument or the result of the sigmoid, before gain and offset.
        inverse: Reciprocal of the deviation that it was divided by.
    """

    value: Tensor
    sigmoid: Tensor | None = None
    normalized: Tensor | None = None
    inverse: Tensor | None = None


class Gates(NamedTuple):
    """The target memory, the reciprocal of its length, and the update gate or None."""

    target: Gate
    inverse_length: Tensor
    update: Gate | None

    @property
    def direction(self) -> Tensor:
        """The direction of the target memory."""
        return self.target.value * self.inverse_length


class Mix(NamedTuple):
    """What follows the recall.

    Attributes:
        normalized: The argument of f before gain and offset; None without layer norm.
        inverse: Reciprocal of the deviation that it was divided by.
        argument: The argument of f.
        activated: f of it.
        factor: Factor of the time norm, or None.
        value: The new state, before zoneout.
    """

    normalized: Tensor | None
    inverse: Tensor | None
    argument: Tensor
    activated: Tensor
    factor: Tensor | None
    value: Tensor


def statistics(recipe: KernelSpec) -> list[str]:
    """Return the names of the numbers per sample that a step notes."""
    names = ["inverse_length", "correction", "bisector_inverse"]
    names += ["axis_state", "mirror_axis", "mirror_moved"]
    if recipe.time_norm is not None:
        names.append("time_norm")
    if recipe.layer_norm:
        parts = ["target", "candidate"] + (["update"] if recipe.update_gate else [])
        names += [f"{part}_{what}" for part in parts for what in ("mean", "inverse")]
    return names


class NormWeights(NamedTuple):
    """Gains and offsets as vectors, which all samples share or not."""

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
    """The formulas of one step, for one recipe and the layer norms of one layer."""

    def __init__(self, recipe: KernelSpec, norms: NormWeights | None) -> None:
        self._recipe = recipe
        self._layout = recipe.layout
        if norms is not None:
            self._gate_gain, self._gate_offset, self._gain, self._offset = norms

    def gates(self, before: Tensor, known: RecomputeCache) -> Gates:
        """Make the gates of what the matrix products gave, vectors `[2H]`."""
        recipe, layout, units = self._recipe, self._layout, self._recipe.units
        target = Gate(layout.part(before, None, units))
        if recipe.layer_norm:
            normalized, inverse = primitives.normalize(layout, target.value, "target", known)
            value = normalized * layout.part(self._gate_gain, None, units)
            value = value + layout.part(self._gate_offset, None, units)
            target = Gate(value, None, normalized, inverse)
        inverse = known("inverse_length", lambda: primitives.inverse_length(layout, target.value))
        update = None
        if recipe.update_gate:
            update = self._update(layout.part(before, units, None), known)
        return Gates(target, inverse, update)

    def _update(self, before: Tensor, known: RecomputeCache) -> Gate:
        recipe, layout, units = self._recipe, self._layout, self._recipe.units
        if not recipe.layer_norm:
            value = ops.sigmoid(before)
            return Gate(value, value)
        if recipe.after_sigmoid:
            before = sigmoid = ops.sigmoid(before)
        normalized, inverse = primitives.normalize(layout, before, "update", known)
        value = normalized * layout.part(self._gate_gain, units, None)
        value = value + layout.part(self._gate_offset, units, None)
        if not recipe.after_sigmoid:
            value = sigmoid = ops.sigmoid(value)
        return Gate(value, sigmoid, normalized, inverse)

    def mix(self, candidate: Tensor, gates: Gates, state: Tensor, known: RecomputeCache) -> Mix:
        """Make the new state of the candidate, which is the embedded input plus the recall."""
        recipe, layout = self._recipe, self._layout
        normalized = inverse = None
        if recipe.layer_norm:
            normalized, inverse = primitives.normalize(layout, candidate, "candidate", known)
            candidate = normalized * self._gain + self._offset
        activated = value = primitives.activate(layout, recipe.activation, candidate)
        if gates.update is not None:
            update = gates.update.value
            value = update * state + (1.0 - update) * activated
        factor = None
        if recipe.time_norm is not None:
            factor = known(
                "time_norm", lambda: primitives.time_norm(layout, value, recipe.time_norm)
            )
            value = factor * value
        return Mix(normalized, inverse, candidate, activated, factor, value)

    def mix_backward(
        self, mix: Mix, gates: Gates, state: Tensor, cotangent: Tensor
    ) -> tuple[Tensor, Tensor | None, Tensor | None, list[Tensor]]:
        """Take the cotangent of the new state back.

        Returns:
            The cotangents of the candidate, of the update gate and of the state (None without an
            update gate), and those of gain and offset, if there are any, for each sample.
        """
        recipe, layout = self._recipe, self._layout
        if mix.factor is not None:
            cotangent = primitives.time_norm_backward(
                layout, mix.factor, mix.value, recipe.time_norm, cotangent
            )
        of_update = of_state = None
        if gates.update is not None:
            update = gates.update.value
            of_update = cotangent * (state - mix.activated)
            of_state = cotangent * update
            cotangent = cotangent * (1.0 - update)
        cotangent = primitives.activate_backward(layout, recipe.activation, mix.argument, cotangent)
        if not recipe.layer_norm:
            return cotangent, of_update, of_state, []
        of_weights = [cotangent * mix.normalized, cotangent]
        cotangent = primitives.normalise_backward(
            layout, mix.normalized, mix.inverse, cotangent * self._gain
        )
        return cotangent, of_update, of_state, of_weights

    def gates_backward(
        self, gates: Gates, of_target: Tensor, of_update: Tensor | None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Take the cotangents of the gates back to what the matrix products gave.

        Returns:
            Those of r and, if there is an update gate, of u; and those of gain and
            offset, for each sample: of r, then of u.
        """
        recipe, layout, units = self._recipe, self._layout, self._recipe.units
        of_weights: list[Tensor] = []

        def through_norm(gate: Gate, cotangent: Tensor, *part: int | None) -> Tensor:
            if not recipe.layer_norm:
                return cotangent
            of_weights.extend([cotangent * gate.normalized, cotangent])
            cotangent = cotangent * layout.part(self._gate_gain, *part)
            return primitives.normalise_backward(layout, gate.normalized, gate.inverse, cotangent)

        parts = [through_norm(gates.target, of_target, None, units)]
        if gates.update is not None:
            is_first = not (recipe.layer_norm and recipe.after_sigmoid)
            if is_first:
                of_update = primitives.sigmoid_backward(gates.update.sigmoid, of_update)
            of_update = through_norm(gates.update, of_update, units, None)
            if not is_first:
                of_update = primitives.sigmoid_backward(gates.update.sigmoid, of_update)
            parts.append(of_update)
        return parts, of_weights
