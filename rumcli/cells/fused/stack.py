"""Forward and backward loop of a stack of cells, compiled by XLA.

At each step, the output of a cell is the input of the next. Cells may share a state, as the fast
cells of a Fast-Slow RNN do. The gradients of the kernels are computed after the loop for all steps
at once; inside it, every kernel would be read and written T times.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.compiled_loop import InputGradients
from rumcli.cells.fused.stack_context import StackContext
from rumcli.cells.fused.stack_projections import StackedCell
from rumcli.cells.fused.stack_spec import CellResiduals, CellWeights, StackInputs, StackSpec
from rumcli.cells.tensor import Tensor


def forward(
    recipe: StackSpec, weights: Many[CellWeights], sequence: StackInputs
) -> tuple[list[Tensor], tuple[CellResiduals, ...]]:
    """Run the forward loop.

    Returns:
        The results and the residuals of each cell. The results are:

        - the outputs `[B, T, H]`, with `return_sequences`;
        - the last output `[B, H]`;
        - the final states, `[B, H]` each.
    """
    layout = recipe.layout
    context = StackContext(recipe, sequence)
    links = _links(recipe, weights, context)
    inputs = context.inputs

    def step(
        time: Tensor, output: Tensor, states: Any, kept: Any, outputs: Tensor
    ) -> tuple[Any, ...]:
        states, kept = [list(slot) for slot in states], list(kept)
        value = links[0].value_at(inputs, time)
        for link in links:
            value = context.drop(value, link.number, time) if link.number else value
            before = states[link.slot]
            products = link.products(value, before[0], time)
            kept[link.number] = link.keep(kept[link.number], time, value, before, products)
            after = link.node.advance(products, before, link.vectors)
            after = context.blend(after, before, link.number, time)
            states[link.slot], value = after, after[0]
        value = context.drop(value, len(links), time)
        value = context.show(value, output, time)
        return value, states, kept, layout.write(outputs, time, [value])

    outputs = layout.empty_series(recipe.nodes[-1].units, inputs)
    kept = [link.empty(inputs) for link in links]
    start = (ops.zeros_like(layout.read(outputs, 0)), context.states, kept, outputs)
    last, states, kept, outputs = ops.loop(layout.steps(inputs), step, start)
    parts = [last, *(part for slot in states for part in slot)]
    results = [layout.vectors_of(part) for part in parts]
    if recipe.return_sequences:
        results.insert(0, layout.sequence_of(outputs))
    return results, tuple(kept)


def backward(
    recipe: StackSpec,
    weights: Many[CellWeights],
    sequence: StackInputs,
    kept: Many[CellResiduals],
    cotangents: Many[Tensor],
) -> InputGradients:
    """Run the backward loop.

    Args:
        recipe: Static options of the loop.
        weights: Weights of each cell.
        sequence: Arguments of the forward loop.
        kept: Residuals of the forward loop.
        cotangents: Cotangents of the results of `forward`.

    Returns:
        The cotangents of the weights and the sequence, except the inputs.
    """
    context = StackContext(recipe, sequence)
    links = _links(recipe, weights, context)
    layout, count = recipe.layout, recipe.layout.steps(context.inputs)
    of_outputs, *others = cotangents if recipe.return_sequences else (None, *cotangents)
    if of_outputs is not None:
        of_outputs = layout.pages_of(of_outputs)
    of_last, *of_states = map(layout.vectors_of, others)

    def step(
        back: Tensor, of_output: Tensor, of_states: Any, of_products: Any, of_vectors: Any
    ) -> tuple[Any, ...]:
        time = count - 1 - back
        of_states, of_products = [list(slot) for slot in of_states], list(of_products)
        of_vectors = list(of_vectors)
        if of_outputs is not None:
            of_output += layout.read_page(of_outputs, time)
        of_value, of_output = context.show_backward(of_output, time)
        of_value = context.drop(of_value, len(links), time)
        for link in reversed(links):
            after = of_states[link.slot]
            if of_value is not None:
                after = [after[0] + of_value, *after[1:]]
            found = link.back(kept[link.number], after, context, time)
            of_products[link.number] = layout.write(
                of_products[link.number], time, [found.products]
            )
            of_vectors[link.number] = [
                sofar + more
                for sofar, more in zip(of_vectors[link.number], found.vectors, strict=True)
            ]
            of_states[link.slot] = found.states
            if link.number:
                of_value = context.drop(link.of_value(found.products), link.number, time)
        return of_output, of_states, of_products, of_vectors

    start = (
        of_last,
        context.by_slot(of_states),
        [layout.empty_series(link.size, context.inputs) for link in links],
        [[ops.zeros_like(vector) for vector in link.vectors] for link in links],
    )
    _, of_slots, of_products, of_vectors = ops.loop(count, step, start)
    of_slots = tuple(tuple(layout.vectors_of(part) for part in slot) for slot in of_slots)
    return InputGradients(
        tuple(
            link.of_weights(context.inputs, kept[link.number], products, vectors)
            for link, products, vectors in zip(links, of_products, of_vectors, strict=True)
        ),
        sequence._replace(inputs=None, states=of_slots, mask=None, **_no_cotangents(sequence)),
        of_products[0],
    )


def of_inputs(
    recipe: StackSpec, weights: Many[CellWeights], sequence: StackInputs, of_products: Tensor
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        recipe: Static options of the loop.
        weights: Weights of each cell.
        sequence: Arguments of the forward loop.
        of_products: Cotangent of the first cell's pre-activations, a series of `[N]`.
    """
    kernel = ops.transpose(weights[0].input_kernel)
    product = recipe.layout.apply_series(kernel, of_products)
    return recipe.layout.sequence_of(StackContext(recipe, sequence).drop_all(product))


def _no_cotangents(sequence: StackInputs) -> dict[str, Any]:
    return {
        "zoneout": tuple(tuple(None for _ in node) for node in sequence.zoneout),
        "dropout": tuple(None for _ in sequence.dropout),
    }


def _links(
    recipe: StackSpec, weights: Many[CellWeights], context: StackContext
) -> list[StackedCell]:
    return [StackedCell(recipe, number, own, context.inputs) for number, own in enumerate(weights)]
