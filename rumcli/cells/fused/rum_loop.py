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
    recipe: KernelSpec, weights: KernelWeights, sequence: LoopInputs
) -> tuple[list[Tensor], Residuals]:
    """Run the forward loop.

    Returns:
        The results and the residuals. The results are:

        - the states `[B, T, H]`, with `return_sequences`;
        - the last state `[B, H]`;
        - the product of all rotations `[B, H, H]`, with `memory_is_used`.
    """
    layout = recipe.layout
    formulas = StepFormulas(recipe, norm_weights(layout, weights))
    context = RUMContext(recipe, sequence)
    inputs = context.inputs
    axis, length = _embed(recipe, weights, context)
    gates_of = _gate_products(recipe, weights, inputs)
    names = statistics(recipe)

    def step(
        time: Tensor, state: Tensor, states: Tensor, gates: Tensor, noted: Tensor, *memory: Any
    ) -> tuple[Any, ...]:
        known = RecomputeCache(layout, names)
        before = gates_of(time, state)
        gate = formulas.gates(before, known)
        a, size = layout.read_page(axis, time), layout.read_page(length, time)
        turn = primitives.make_rotation(layout, a, gate.direction, size > 0, state, known)
        recalled = turn.apply(state)
        if recipe.associative:
            recollections, product = memory
            parts, product = primitives.associate(layout, turn, recalled, product)
            recollections = layout.write_page(recollections, time, layout.join(parts))
            recalled = context.from_start(parts.state)
            memory = (recollections, product)
        candidate = a * size + recalled
        new = context.blend(formulas.mix(candidate, gate, state, known).value, state, time)
        return (
            new,
            layout.write(states, time, [new]),
            layout.write_page(gates, time, before),
            layout.write_page(noted, time, known.joined()),
            *memory,
        )

    start = [context.initial_state, layout.empty_series(recipe.units, inputs)]
    start += [layout.empty_pages(rows, inputs) for rows in (recipe.gates, len(names))]
    if recipe.associative:
        start += [layout.empty_pages(3 * recipe.units, inputs), context.identity()]
    last, states, gates, noted, *memory = ops.loop(layout.steps(inputs), step, start)
    recollections, product = memory or (None, None)
    if product is not None:
        product = ops.transpose(product, (0, 2, 1))
    results = [layout.vectors_of(last)]
    if recipe.return_sequences:
        results.insert(0, layout.sequence_of(states))
    if recipe.memory_is_used:
        results.append(product)
    return results, Residuals(axis, length, states, gates, noted, recollections, product)


def _embed(
    recipe: KernelSpec, weights: KernelWeights, context: RUMContext
) -> tuple[Tensor, Tensor]:
    """Return directions (pages of `[H]`) and lengths (pages of `[1]`) of the embedded inputs."""
    layout = recipe.layout
    embedded = layout.apply_series(weights.candidate_kernel, context.inputs)
    if weights.candidate_bias is not None:
        embedded = layout.add_to_series(embedded, weights.candidate_bias)
    embedded = layout.series_to_pages(embedded)
    inverse = primitives.inverse_length(layout, embedded)
    axis = context.zero_where_masked(embedded * inverse)
    return axis, layout.total(axis * embedded)


def _gate_products(
    recipe: KernelSpec, weights: KernelWeights, inputs: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from time and state to the pre-activations of the gates, `[2H]`."""
    layout, kernel, bias = recipe.layout, weights.gate_kernel, weights.gate_bias
    if layout.inputs_first:
        share = layout.apply_series(kernel[: -recipe.units], inputs)
        share = layout.add_to_series(share, bias)
        operator = layout.operator(kernel[-recipe.units :])
        return lambda time, state: layout.read(share, time) + layout.apply(operator, state)
    operator, bias = layout.operator(kernel), layout.vector(bias)
    return lambda time, state: (
        layout.apply(operator, layout.join([layout.read(inputs, time), state])) + bias
    )


def backward(
    recipe: KernelSpec,
    weights: KernelWeights,
    sequence: LoopInputs,
    kept: Residuals,
    cotangents: list[Tensor],
) -> InputGradients:
    """Run the backward loop.

    Args:
        recipe: Static options of the loop.
        weights: Weights of the cell.
        sequence: Arguments of the forward loop.
        kept: Residuals of the forward loop.
        cotangents: Cotangents of the results of `rum_loop.forward`.

    Returns:
        The cotangents of the weights and the sequence, except the inputs.
    """
    cotangents = list(cotangents)
    outputs = cotangents.pop(0) if recipe.return_sequences else None
    last = cotangents.pop(0)
    memory = cotangents.pop(0) if cotangents else None
    layout = recipe.layout
    context = RUMContext(recipe, sequence)
    steps = _Steps(recipe, weights, context, kept)
    if outputs is not None:
        outputs = layout.pages_of(outputs)
    operators = _state_operators(recipe, weights)
    count = layout.steps(kept.states)

    def step(
        back: Tensor, of_state: Tensor, of_embedded: Tensor, of_gates: Tensor, gains: Any, rest: Any
    ) -> tuple[Any, ...]:
        time = count - 1 - back
        if outputs is not None:
            of_state = of_state + layout.read_page(outputs, time)
        found = steps.back(steps.again(time), time, of_state, rest)
        of_previous = found.state + layout.apply_parts(operators, found.gates)
        of_gates = layout.write(of_gates, time, found.gates)
        of_embedded = layout.write(of_embedded, time, [found.embedded])
        gains = [sofar + more for sofar, more in zip(gains, found.gains, strict=True)]
        return of_previous, of_embedded, of_gates, gains, found.memory

    gains = [ops.zeros_like(context.initial_state)] * steps.count_of_gains
    rest: tuple[Any, ...] = ()
    if recipe.associative:
        momentum = primitives.final_momentum(kept.memory, memory)
        rest = (kept.memory, momentum, context.no_cotangent())
    start = [layout.vectors_of(last)]
    start += [layout.empty_series(size, kept.states) for size in (recipe.units, recipe.gates)]
    of_state, of_embedded, of_gates, gains, rest = ops.loop(count, step, [*start, gains, rest])
    of_memory = rest[2][0] if rest and rest[2] else None
    return InputGradients(
        _of_weights(recipe, context, weights, kept, of_embedded, of_gates, gains),
        LoopInputs(None, layout.vectors_of(of_state), of_memory, None, None),
        (of_embedded, of_gates),
    )


def of_inputs(
    recipe: KernelSpec,
    weights: KernelWeights,
    sequence: LoopInputs,
    of_products: tuple[Tensor, Tensor],
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        recipe: Static options of the loop.
        weights: Weights of the cell.
        sequence: Arguments of the forward loop.
        of_products: Cotangents of the embedded inputs, a series of `[H]`, and of the gates'
            pre-activations, a series of `[2H]`.
    """
    layout = recipe.layout
    kernels = [weights.candidate_kernel, weights.gate_kernel[: -recipe.units]]
    kernel = ops.transpose(ops.concat(kernels, axis=1))
    return layout.sequence_of(layout.apply_series(kernel, layout.join(of_products)))


class _Again(NamedTuple):
    """A recomputed step."""

    state: Tensor  # before the step
    axis: Tensor
    length: Tensor
    gates: Gates
    turn: primitives.Rotation
    recalled: primitives.Recalled | None
    mix: Mix


class _Found(NamedTuple):
    """Cotangents of one step."""

    state: Tensor  # without the contribution through the gates' matrix products
    gates: list[Tensor]
    embedded: Tensor
    gains: list[Tensor]
    memory: Any


class _Steps:
    """Recomputation and gradient of single steps of one sequence."""

    def __init__(
        self, recipe: KernelSpec, weights: KernelWeights, context: RUMContext, kept: Residuals
    ) -> None:
        self._recipe = recipe
        self._layout = layout = recipe.layout
        self._formulas = StepFormulas(recipe, norm_weights(layout, weights))
        self._context = context
        self._kept = kept
        self._names = statistics(recipe)
        parts = 2 + recipe.update_gate
        self.count_of_gains = 2 * parts if recipe.layer_norm else 0

    def again(self, time: Tensor) -> _Again:
        """Recompute a step from the residuals."""
        kept, context, layout = self._kept, self._context, self._layout
        state = layout.read(kept.states, ops.maximum(time - 1, 0))
        state = ops.where(time > 0, state, context.initial_state)
        noted = layout.materialize(layout.read_page(kept.statistics, time))
        known = RecomputeCache(layout, self._names, noted)
        gates = self._formulas.gates(layout.read_page(kept.gates, time), known)
        axis, length = layout.read_page(kept.axis, time), layout.read_page(kept.length, time)
        turn = primitives.make_rotation(layout, axis, gates.direction, length > 0, state, known)
        parts, recalled = None, turn.apply(state)
        if self._recipe.associative:
            parts = primitives.Recalled(
                *ops.split(layout.read_page(kept.recalled, time), 3, axis=layout.axis)
            )
            recalled = context.from_start(parts.state)
        mix = self._formulas.mix(axis * length + recalled, gates, state, known)
        return _Again(state, axis, length, gates, turn, parts, mix)

    def back(self, step: _Again, time: Tensor, cotangent: Tensor, memory: Any) -> _Found:
        """Return the cotangents of a step's arguments, for the cotangent of its new state."""
        of_new, of_state = self._context.blend_backward(cotangent, time)
        of_candidate, of_update, of_mixed, gains = self._formulas.mix_backward(
            step.mix, step.gates, step.state, of_new
        )
        if step.recalled is not None:
            product, momentum, of_start = memory
            of_product, of_start = self._context.from_start_backward(
                of_candidate, step.recalled.state, of_start
            )
            of_turn, product, momentum = primitives.associate_backward(
                self._layout, step.turn, step.recalled, of_product, product, momentum
            )
            memory = (product, momentum, of_start)
        else:
            of_turn = primitives.rotate_backward(self._layout, step.turn, step.state, of_candidate)
        of_state += of_turn.hidden_state
        if of_mixed is not None:
            of_state += of_mixed
        of_axis = of_turn.axis + of_turn.summed - of_turn.axis_summed * step.axis
        # `summed` is perpendicular to a + b: its component along b is minus that along a.
        of_direction = of_turn.summed + of_turn.axis_summed * step.gates.direction
        of_gates, more_gains = self._formulas.gates_backward(
            step.gates, step.gates.inverse_length * of_direction, of_update
        )
        embedded = of_candidate + ops.divide_no_nan(of_axis, step.length)
        return _Found(of_state, of_gates, embedded, gains + more_gains, memory)


def _state_operators(recipe: KernelSpec, weights: KernelWeights) -> list[Tensor]:
    """Return the operator from each gate's cotangent to the cotangent of the state."""
    kernel = weights.gate_kernel[-recipe.units :]
    kernels = ops.split(kernel, recipe.gates // recipe.units, axis=1)
    return [recipe.layout.operator(ops.transpose(part)) for part in kernels]


def _of_weights(
    recipe: KernelSpec,
    context: RUMContext,
    weights: KernelWeights,
    kept: Residuals,
    of_embedded: Tensor,
    of_gates: Tensor,
    gains: list[Tensor],
) -> KernelWeights:
    """Return the cotangents of the weights, summed over all steps and samples."""
    layout = recipe.layout
    before = layout.before(context.initial_state, kept.states)
    of_input_kernel = layout.gram(context.inputs, of_gates)
    of_state_kernel = layout.gram(before, of_gates)
    has_bias = weights.candidate_bias is not None
    sums = [layout.sum_samples(gain) for gain in gains]
    return KernelWeights(
        gate_kernel=ops.concat([of_input_kernel, of_state_kernel], axis=0),
        gate_bias=layout.sum_series(of_gates),
        candidate_kernel=layout.gram(context.inputs, of_embedded),
        candidate_bias=layout.sum_series(of_embedded) if has_bias else None,
        gate_gain=ops.concat(sums[2::2], axis=0) if sums else None,
        gate_offset=ops.concat(sums[3::2], axis=0) if sums else None,
        candidate_gain=sums[0] if sums else None,
        candidate_offset=sums[1] if sums else None,
    )
