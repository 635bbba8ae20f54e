"""Forward and backward loop of RUM and ARUM, compiled by XLA.

The embedded inputs of all steps are computed before the loop. The residuals of a step are the
state, the gates and a few scalars per sample. The backward loop recomputes the rest of each step,
then differentiates it. The weight gradients of all steps are computed after the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rumcli.cells.fused import primitives
from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import (
    InputGradients,
    KernelSpec,
    KernelWeights,
    LoopInputs,
    Residuals,
)
from rumcli.cells.fused.primitives import RecomputeCache
from rumcli.cells.fused.rum_step import (
    Gates,
    Mix,
    RUMContext,
    StepFormulas,
    norm_weights,
    statistics,
)
from rumcli.cells.tensor import Tensor


def forward(
    spec: KernelSpec, weights: KernelWeights, sequence: LoopInputs
) -> tuple[list[Tensor], Residuals]:
    """Run the forward loop.

    Returns:
        The results and the residuals. The results are:

        - the states `[B, T, H]`, with `return_sequences`;
        - the last state `[B, H]`;
        - the product of all rotations `[B, H, H]`, with `memory_is_used`.
    """
    layout = spec.layout
    formulas = StepFormulas(spec, norm_weights(layout, weights))
    context = RUMContext(spec, sequence)
    inputs = context.inputs
    axis, length = _embed(spec, weights, context)
    gates_of = _gate_products(spec, weights, inputs)
    names = statistics(spec)

    def step(
        time: Tensor, state: Tensor, states: Tensor, gates: Tensor, cached: Tensor, *memory: Any
    ) -> tuple[Any, ...]:
        cache = RecomputeCache(layout, names)
        before = gates_of(time, state)
        gate = formulas.gates(before, cache)
        a, size = layout.read_page(axis, time), layout.read_page(length, time)
        rotation = primitives.make_rotation(layout, a, gate.direction, size > 0, state, cache)
        recalled = rotation.apply(state)
        if spec.associative:
            recollections, product = memory
            parts, product = primitives.associate(layout, rotation, recalled, product)
            recollections = layout.write_page(recollections, time, layout.join(parts))
            recalled = context.from_start(parts.state)
            memory = (recollections, product)
        candidate = a * size + recalled
        new = context.blend(formulas.mix(candidate, gate, state, cache).value, state, time)
        return (
            new,
            layout.write(states, time, [new]),
            layout.write_page(gates, time, before),
            layout.write_page(cached, time, cache.joined()),
            *memory,
        )

    start = [context.initial_state, layout.empty_series(spec.units, inputs)]
    start += [layout.empty_pages(rows, inputs) for rows in (spec.gates, len(names))]
    if spec.associative:
        start += [layout.empty_pages(3 * spec.units, inputs), context.identity()]
    last, states, gates, cached, *memory = ops.loop(layout.steps(inputs), step, start)
    recollections, product = memory or (None, None)
    if product is not None:
        product = ops.transpose(product, (0, 2, 1))
    results = [layout.vectors_of(last)]
    if spec.return_sequences:
        results.insert(0, layout.sequence_of(states))
    if spec.memory_is_used:
        results.append(product)
    return results, Residuals(axis, length, states, gates, cached, recollections, product)


def _embed(spec: KernelSpec, weights: KernelWeights, context: RUMContext) -> tuple[Tensor, Tensor]:
    """Return directions (pages of `[H]`) and lengths (pages of `[1]`) of the embedded inputs."""
    layout = spec.layout
    embedded = layout.apply_series(weights.candidate_kernel, context.inputs)
    if weights.candidate_bias is not None:
        embedded = layout.add_to_series(embedded, weights.candidate_bias)
    embedded = layout.series_to_pages(embedded)
    inverse = primitives.inverse_length(layout, embedded)
    axis = context.zero_where_masked(embedded * inverse)
    return axis, layout.total(axis * embedded)


def _gate_products(
    spec: KernelSpec, weights: KernelWeights, inputs: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from time and state to the pre-activations of the gates, `[2H]`."""
    layout, kernel, bias = spec.layout, weights.gate_kernel, weights.gate_bias
    if layout.inputs_first:
        share = layout.apply_series(kernel[: -spec.units], inputs)
        share = layout.add_to_series(share, bias)
        operator = layout.operator(kernel[-spec.units :])
        return lambda time, state: layout.read(share, time) + layout.apply(operator, state)
    operator, bias = layout.operator(kernel), layout.vector(bias)
    return lambda time, state: (
        layout.apply(operator, layout.join([layout.read(inputs, time), state])) + bias
    )


def backward(
    spec: KernelSpec,
    weights: KernelWeights,
    sequence: LoopInputs,
    residuals: Residuals,
    cotangents: list[Tensor],
) -> InputGradients:
    """Run the backward loop.

    Args:
        spec: Static options of the loop.
        weights: Weights of the cell.
        sequence: Arguments of the forward loop.
        residuals: Residuals of the forward loop.
        cotangents: Cotangents of the results of `rum_loop.forward`.

    Returns:
        The cotangents of the weights and the sequence, except the inputs.
    """
    cotangents = list(cotangents)
    outputs = cotangents.pop(0) if spec.return_sequences else None
    last = cotangents.pop(0)
    memory = cotangents.pop(0) if cotangents else None
    layout = spec.layout
    context = RUMContext(spec, sequence)
    steps = _Steps(spec, weights, context, residuals)
    if outputs is not None:
        outputs = layout.pages_of(outputs)
    operators = _state_operators(spec, weights)
    count = layout.steps(residuals.states)

    def step(
        back: Tensor,
        grad_state: Tensor,
        grad_embedded: Tensor,
        grad_gates: Tensor,
        gains: Any,
        rest: Any,
    ) -> tuple[Any, ...]:
        time = count - 1 - back
        if outputs is not None:
            grad_state = grad_state + layout.read_page(outputs, time)
        gradients = steps.backward(steps.recompute(time), time, grad_state, rest)
        grad_previous = gradients.state + layout.apply_parts(operators, gradients.gates)
        grad_gates = layout.write(grad_gates, time, gradients.gates)
        grad_embedded = layout.write(grad_embedded, time, [gradients.embedded])
        gains = [total + gain for total, gain in zip(gains, gradients.gains, strict=True)]
        return grad_previous, grad_embedded, grad_gates, gains, gradients.memory

    gains = [ops.zeros_like(context.initial_state)] * steps.count_of_gains
    rest: tuple[Any, ...] = ()
    if spec.associative:
        momentum = primitives.final_momentum(residuals.memory, memory)
        rest = (residuals.memory, momentum, context.no_cotangent())
    start = [layout.vectors_of(last)]
    start += [layout.empty_series(size, residuals.states) for size in (spec.units, spec.gates)]
    grad_state, grad_embedded, grad_gates, gains, rest = ops.loop(
        count, step, [*start, gains, rest]
    )
    grad_memory = rest[2][0] if rest and rest[2] else None
    return InputGradients(
        _grad_weights(spec, context, weights, residuals, grad_embedded, grad_gates, gains),
        LoopInputs(None, layout.vectors_of(grad_state), grad_memory, None, None),
        (grad_embedded, grad_gates),
    )


def grad_inputs(
    spec: KernelSpec,
    weights: KernelWeights,
    sequence: LoopInputs,
    grad_products: tuple[Tensor, Tensor],
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        spec: Static options of the loop.
        weights: Weights of the cell.
        sequence: Arguments of the forward loop.
        grad_products: Cotangents of the embedded inputs, a series of `[H]`, and of the gates'
            pre-activations, a series of `[2H]`.
    """
    layout = spec.layout
    kernels = [weights.candidate_kernel, weights.gate_kernel[: -spec.units]]
    kernel = ops.transpose(ops.concat(kernels, axis=1))
    return layout.sequence_of(layout.apply_series(kernel, layout.join(grad_products)))


class _RecomputedStep(NamedTuple):
    """A recomputed step."""

    state: Tensor  # before the step
    axis: Tensor
    length: Tensor
    gates: Gates
    rotation: primitives.Rotation
    recalled: primitives.Recalled | None
    mix: Mix


class _StepGradients(NamedTuple):
    """Cotangents of one step."""

    state: Tensor  # without the contribution through the gates' matrix products
    gates: list[Tensor]
    embedded: Tensor
    gains: list[Tensor]
    memory: Any


class _Steps:
    """Recomputation and gradient of single steps of one sequence."""

    def __init__(
        self, spec: KernelSpec, weights: KernelWeights, context: RUMContext, residuals: Residuals
    ) -> None:
        self._spec = spec
        self._layout = layout = spec.layout
        self._formulas = StepFormulas(spec, norm_weights(layout, weights))
        self._context = context
        self._residuals = residuals
        self._names = statistics(spec)
        parts = 2 + spec.update_gate
        self.count_of_gains = 2 * parts if spec.layer_norm else 0

    def recompute(self, time: Tensor) -> _RecomputedStep:
        """Recompute a step from the residuals."""
        residuals, context, layout = self._residuals, self._context, self._layout
        state = layout.read(residuals.states, ops.maximum(time - 1, 0))
        state = ops.where(time > 0, state, context.initial_state)
        cached = layout.materialize(layout.read_page(residuals.statistics, time))
        cache = RecomputeCache(layout, self._names, cached)
        gates = self._formulas.gates(layout.read_page(residuals.gates, time), cache)
        axis, length = (
            layout.read_page(residuals.axis, time),
            layout.read_page(residuals.length, time),
        )
        rotation = primitives.make_rotation(layout, axis, gates.direction, length > 0, state, cache)
        parts, recalled = None, rotation.apply(state)
        if self._spec.associative:
            parts = primitives.Recalled(
                *ops.split(layout.read_page(residuals.recalled, time), 3, axis=layout.axis)
            )
            recalled = context.from_start(parts.state)
        mix = self._formulas.mix(axis * length + recalled, gates, state, cache)
        return _RecomputedStep(state, axis, length, gates, rotation, parts, mix)

    def backward(
        self, step: _RecomputedStep, time: Tensor, cotangent: Tensor, memory: Any
    ) -> _StepGradients:
        """Return the cotangents of a step's arguments, for the cotangent of its new state."""
        grad_new, grad_state = self._context.blend_backward(cotangent, time)
        grad_candidate, grad_update, grad_mixed, gains = self._formulas.mix_backward(
            step.mix, step.gates, step.state, grad_new
        )
        if step.recalled is not None:
            product, momentum, grad_start = memory
            grad_product, grad_start = self._context.from_start_backward(
                grad_candidate, step.recalled.state, grad_start
            )
            grad_rotation, product, momentum = primitives.associate_backward(
                self._layout, step.rotation, step.recalled, grad_product, product, momentum
            )
            memory = (product, momentum, grad_start)
        else:
            grad_rotation = primitives.rotate_backward(
                self._layout, step.rotation, step.state, grad_candidate
            )
        grad_state += grad_rotation.hidden_state
        if grad_mixed is not None:
            grad_state += grad_mixed
        grad_axis = (
            grad_rotation.axis + grad_rotation.summed - grad_rotation.axis_summed * step.axis
        )
        # `summed` is perpendicular to a + b: its component along b is minus that along a.
        grad_direction = grad_rotation.summed + grad_rotation.axis_summed * step.gates.direction
        grad_gates, more_gains = self._formulas.gates_backward(
            step.gates, step.gates.inverse_length * grad_direction, grad_update
        )
        embedded = grad_candidate + ops.divide_no_nan(grad_axis, step.length)
        return _StepGradients(grad_state, grad_gates, embedded, gains + more_gains, memory)


def _state_operators(spec: KernelSpec, weights: KernelWeights) -> list[Tensor]:
    """Return the operator from each gate's cotangent to the cotangent of the state."""
    kernel = weights.gate_kernel[-spec.units :]
    kernels = ops.split(kernel, spec.gates // spec.units, axis=1)
    return [spec.layout.operator(ops.transpose(part)) for part in kernels]


def _grad_weights(
    spec: KernelSpec,
    context: RUMContext,
    weights: KernelWeights,
    residuals: Residuals,
    grad_embedded: Tensor,
    grad_gates: Tensor,
    gains: list[Tensor],
) -> KernelWeights:
    """Return the cotangents of the weights, summed over all steps and samples."""
    layout = spec.layout
    before = layout.before(context.initial_state, residuals.states)
    grad_input_kernel = layout.gram(context.inputs, grad_gates)
    grad_state_kernel = layout.gram(before, grad_gates)
    has_bias = weights.candidate_bias is not None
    sums = [layout.sum_samples(gain) for gain in gains]
    return KernelWeights(
        gate_kernel=ops.concat([grad_input_kernel, grad_state_kernel], axis=0),
        gate_bias=layout.sum_series(grad_gates),
        candidate_kernel=layout.gram(context.inputs, grad_embedded),
        candidate_bias=layout.sum_series(grad_embedded) if has_bias else None,
        gate_gain=ops.concat(sums[2::2], axis=0) if sums else None,
        gate_offset=ops.concat(sums[3::2], axis=0) if sums else None,
        candidate_gain=sums[0] if sums else None,
        candidate_offset=sums[1] if sums else None,
    )
