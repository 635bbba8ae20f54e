"""Forward loop of RUM and ARUM, compiled by XLA.

The embedded inputs of all steps are computed before the loop. The residuals of a step are the
state, the gates and a few scalars per sample; `rum_vjp.backward` recomputes the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rumcli.cells.fused import primitives, rotation_vjp
from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec, KernelWeights, LoopInputs, Residuals
from rumcli.cells.fused.primitives import RecomputeCache
from rumcli.cells.fused.rum_context import RUMContext
from rumcli.cells.fused.rum_step import StepFormulas, norm_weights, statistics
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
        turn = rotation_vjp.make_rotation(layout, a, gate.direction, size > 0, state, known)
        recalled = turn.apply(state)
        if recipe.associative:
            recollections, product = memory
            parts, product = rotation_vjp.associate(layout, turn, recalled, product)
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
