"""Forward and backward loop of a stack of cells, compiled by XLA.

At each step, the output of a cell is the input of the next. Cells may share a state, as the fast
cells of a Fast-Slow RNN do. The gradients of the kernels are computed after the loop for all steps
at once; inside it, every kernel would be read and written T times.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any, NamedTuple

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import InputGradients
from rumcli.cells.fused.stack_step import (
    CellResiduals,
    CellWeights,
    StackContext,
    StackInputs,
    StackSpec,
)
from rumcli.cells.tensor import Tensor


class CellCotangents(NamedTuple):
    """Cotangents of the pre-activations, the states and the vectors of one step."""

    products: Tensor
    states: list[Tensor]
    vectors: list[Tensor]


class StackedCell:
    """A cell with its position in the stack and its weights."""

    def __init__(self, recipe: StackSpec, number: int, weights: CellWeights, like: Tensor) -> None:
        self.node, self.number = recipe.nodes[number], number
        self.slot, self._has_input = recipe.slots[number], recipe.has_input[number]
        self._layout = layout = recipe.layout
        self._weights = weights
        self._operators = [layout.operator(kernel) for kernel in weights[:2]]
        self._operators_back = [layout.operator(ops.transpose(kernel)) for kernel in weights[:2]]
        self._bias = layout.vector(weights.bias)
        self._share = None
        if number == 0 and layout.inputs_first:
            product = layout.apply_series(weights.input_kernel, like)
            self._share = layout.add_to_series(product, weights.bias)
        self.size = weights.bias.shape[0]
        # One copy per sample: XLA would not vectorize sums over the samples at each step.
        self.vectors = [layout.spread(vector, like) for vector in weights.vectors]

    def value_at(self, inputs: Tensor, time: Tensor) -> Tensor | None:
        """Return the first cell's input at a step; None if its projection is precomputed."""
        return None if self._share is not None else self._layout.read(inputs, time)

    def products(self, value: Tensor | None, hidden: Tensor, time: Tensor) -> Tensor:
        """Return the pre-activations, vectors `[N]`."""
        layout = self._layout
        of_state = layout.apply(self._operators[1], hidden)
        if not self._has_input:
            return of_state + self._bias
        if self._share is not None:
            of_value = layout.read(self._share, time)
        else:
            of_value = layout.apply(self._operators[0], value) + self._bias
        size = self.node.state_rows
        if size == self.size:
            return of_value + of_state
        gates = layout.part(of_value, None, size) + of_state
        return layout.join([gates, layout.part(of_value, size, None)])

    def empty(self, like: Tensor) -> CellResiduals:
        """Return empty buffers for the residuals of all steps."""
        layout, units = self._layout, self.node.units
        has_own_value = self.number and self._has_input
        input_size = self._weights.input_kernel.shape[0]
        return CellResiduals(
            layout.empty_series(input_size, like) if has_own_value else (),
            layout.empty_series(units, like),
            tuple(layout.empty_pages(units, like) for _ in self.node.new_shares[1:]),
            layout.empty_pages(self.size, like),
        )

    def keep(
        self,
        kept: CellResiduals,
        time: Tensor,
        value: Tensor,
        states: Many[Tensor],
        products: Tensor,
    ) -> CellResiduals:
        """Write the residuals of one step to the buffers."""
        layout = self._layout
        if ops.is_tensor(kept.value):
            kept = kept._replace(value=layout.write(kept.value, time, [value]))
        others = zip(kept.others, states[1:], strict=True)
        return kept._replace(
            hidden=layout.write(kept.hidden, time, [states[0]]),
            others=tuple(layout.write_page(buffer, time, part) for buffer, part in others),
            products=layout.write_page(kept.products, time, products),
        )

    def back(
        self, kept: CellResiduals, of_after: Many[Tensor], context: StackContext, time: Tensor
    ) -> CellCotangents:
        """Return the cotangents of a step's arguments, for the cotangents of its new states."""
        layout = self._layout
        products = layout.read_page(kept.products, time)
        before = [layout.read(kept.hidden, time)]
        before += [layout.read_page(other, time) for other in kept.others]
        of_after, of_before = context.blend_backward(of_after, self.number, time)
        made_of = [products, before, self.vectors]
        _, found = ops.vjp(self.node.advance, made_of, of_after)
        of_products, of_states, of_vectors = found
        of_states = [part + more for part, more in zip(of_states, of_before, strict=True)]
        of_gates = layout.part(of_products, None, self.node.state_rows)
        of_states[0] += layout.apply(self._operators_back[1], of_gates)
        return CellCotangents(of_products, of_states, of_vectors)

    def of_value(self, of_products: Tensor) -> Tensor | None:
        """Return the cotangent of the cell's input; None if the input is zero."""
        if not self._has_input:
            return None
        return self._layout.apply(self._operators_back[0], of_products)

    def of_weights(
        self, inputs: Tensor, kept: CellResiduals, of_products: Tensor, of_vectors: Many[Tensor]
    ) -> CellWeights:
        """Return the cotangents of the weights, summed over all steps and samples."""
        layout = self._layout
        of_gates = layout.part(of_products, None, self.node.state_rows)
        of_input_kernel = ops.zeros_like(self._weights.input_kernel)
        if self._has_input:
            value = kept.value if self.number else inputs
            of_input_kernel = layout.gram(value, of_products)
        return CellWeights(
            of_input_kernel,
            layout.gram(kept.hidden, of_gates),
            layout.sum_series(of_products),
            tuple(layout.sum_samples(vector) for vector in of_vectors),
        )


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
