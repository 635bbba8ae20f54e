"""Forward and backward loop of a stack of cells, compiled by XLA.

At each step, the output of a cell is the input of the next. Cells may share a state, as the fast
cells of a Fast-Slow RNN do. The gradients of the kernels are computed after the loop for all steps
at once; inside it, every kernel would be read and written T times.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    def __init__(self, spec: StackSpec, number: int, weights: CellWeights, like: Tensor) -> None:
        self.node, self.number = spec.nodes[number], number
        self.slot, self._has_input = spec.slots[number], spec.has_input[number]
        self._layout = layout = spec.layout
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
        state_product = layout.apply(self._operators[1], hidden)
        if not self._has_input:
            return state_product + self._bias
        if self._share is not None:
            input_product = layout.read(self._share, time)
        else:
            input_product = layout.apply(self._operators[0], value) + self._bias
        size = self.node.state_rows
        if size == self.size:
            return input_product + state_product
        gates = layout.part(input_product, None, size) + state_product
        return layout.join([gates, layout.part(input_product, size, None)])

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

    def store(
        self,
        residuals: CellResiduals,
        time: Tensor,
        value: Tensor,
        states: Sequence[Tensor],
        products: Tensor,
    ) -> CellResiduals:
        """Write the residuals of one step to the buffers."""
        layout = self._layout
        if ops.is_tensor(residuals.value):
            residuals = residuals._replace(value=layout.write(residuals.value, time, [value]))
        others = zip(residuals.others, states[1:], strict=True)
        return residuals._replace(
            hidden=layout.write(residuals.hidden, time, [states[0]]),
            others=tuple(layout.write_page(buffer, time, part) for buffer, part in others),
            products=layout.write_page(residuals.products, time, products),
        )

    def backward(
        self,
        residuals: CellResiduals,
        grad_after: Sequence[Tensor],
        context: StackContext,
        time: Tensor,
    ) -> CellCotangents:
        """Return the cotangents of a step's arguments, for the cotangents of its new states."""
        layout = self._layout
        products = layout.read_page(residuals.products, time)
        before = [layout.read(residuals.hidden, time)]
        before += [layout.read_page(other, time) for other in residuals.others]
        grad_after, grad_before = context.blend_backward(grad_after, self.number, time)
        arguments = [products, before, self.vectors]
        _, gradients = ops.vjp(self.node.advance, arguments, grad_after)
        grad_products, grad_states, grad_vectors = gradients
        grad_states = [part + more for part, more in zip(grad_states, grad_before, strict=True)]
        grad_gates = layout.part(grad_products, None, self.node.state_rows)
        grad_states[0] += layout.apply(self._operators_back[1], grad_gates)
        return CellCotangents(grad_products, grad_states, grad_vectors)

    def grad_value(self, grad_products: Tensor) -> Tensor | None:
        """Return the cotangent of the cell's input; None if the input is zero."""
        if not self._has_input:
            return None
        return self._layout.apply(self._operators_back[0], grad_products)

    def grad_weights(
        self,
        inputs: Tensor,
        residuals: CellResiduals,
        grad_products: Tensor,
        grad_vectors: Sequence[Tensor],
    ) -> CellWeights:
        """Return the cotangents of the weights, summed over all steps and samples."""
        layout = self._layout
        grad_gates = layout.part(grad_products, None, self.node.state_rows)
        grad_input_kernel = ops.zeros_like(self._weights.input_kernel)
        if self._has_input:
            value = residuals.value if self.number else inputs
            grad_input_kernel = layout.gram(value, grad_products)
        return CellWeights(
            grad_input_kernel,
            layout.gram(residuals.hidden, grad_gates),
            layout.sum_series(grad_products),
            tuple(layout.sum_samples(vector) for vector in grad_vectors),
        )


def forward(
    spec: StackSpec, weights: Sequence[CellWeights], sequence: StackInputs
) -> tuple[list[Tensor], tuple[CellResiduals, ...]]:
    """Run the forward loop.

    Returns:
        The results and the residuals of each cell. The results are:

        - the outputs `[B, T, H]`, with `return_sequences`;
        - the last output `[B, H]`;
        - the final states, `[B, H]` each.
    """
    layout = spec.layout
    context = StackContext(spec, sequence)
    cells = _stacked_cells(spec, weights, context)
    inputs = context.inputs

    def step(
        time: Tensor, output: Tensor, states: Any, residuals: Any, outputs: Tensor
    ) -> tuple[Any, ...]:
        states, residuals = [list(slot) for slot in states], list(residuals)
        value = cells[0].value_at(inputs, time)
        for cell in cells:
            value = context.drop(value, cell.number, time) if cell.number else value
            before = states[cell.slot]
            products = cell.products(value, before[0], time)
            residuals[cell.number] = cell.store(
                residuals[cell.number], time, value, before, products
            )
            after = cell.node.advance(products, before, cell.vectors)
            after = context.blend(after, before, cell.number, time)
            states[cell.slot], value = after, after[0]
        value = context.drop(value, len(cells), time)
        value = context.mask_output(value, output, time)
        return value, states, residuals, layout.write(outputs, time, [value])

    outputs = layout.empty_series(spec.nodes[-1].units, inputs)
    residuals = [cell.empty(inputs) for cell in cells]
    start = (ops.zeros_like(layout.read(outputs, 0)), context.states, residuals, outputs)
    last, states, residuals, outputs = ops.loop(layout.steps(inputs), step, start)
    parts = [last, *(part for slot in states for part in slot)]
    results = [layout.vectors_of(part) for part in parts]
    if spec.return_sequences:
        results.insert(0, layout.sequence_of(outputs))
    return results, tuple(residuals)


def backward(
    spec: StackSpec,
    weights: Sequence[CellWeights],
    sequence: StackInputs,
    residuals: Sequence[CellResiduals],
    cotangents: Sequence[Tensor],
) -> InputGradients:
    """Run the backward loop.

    Args:
        spec: Static options of the loop.
        weights: Weights of each cell.
        sequence: Arguments of the forward loop.
        residuals: Residuals of the forward loop.
        cotangents: Cotangents of the results of `forward`.

    Returns:
        The cotangents of the weights and the sequence, except the inputs.
    """
    context = StackContext(spec, sequence)
    cells = _stacked_cells(spec, weights, context)
    layout, count = spec.layout, spec.layout.steps(context.inputs)
    grad_outputs, *others = cotangents if spec.return_sequences else (None, *cotangents)
    if grad_outputs is not None:
        grad_outputs = layout.pages_of(grad_outputs)
    grad_last, *grad_states = map(layout.vectors_of, others)

    def step(
        back: Tensor, grad_output: Tensor, grad_states: Any, grad_products: Any, grad_vectors: Any
    ) -> tuple[Any, ...]:
        time = count - 1 - back
        grad_states, grad_products = [list(slot) for slot in grad_states], list(grad_products)
        grad_vectors = list(grad_vectors)
        if grad_outputs is not None:
            grad_output += layout.read_page(grad_outputs, time)
        grad_value, grad_output = context.mask_output_backward(grad_output, time)
        grad_value = context.drop(grad_value, len(cells), time)
        for cell in reversed(cells):
            after = grad_states[cell.slot]
            if grad_value is not None:
                after = [after[0] + grad_value, *after[1:]]
            gradients = cell.backward(residuals[cell.number], after, context, time)
            grad_products[cell.number] = layout.write(
                grad_products[cell.number], time, [gradients.products]
            )
            grad_vectors[cell.number] = [
                total + vector
                for total, vector in zip(grad_vectors[cell.number], gradients.vectors, strict=True)
            ]
            grad_states[cell.slot] = gradients.states
            if cell.number:
                grad_value = context.drop(cell.grad_value(gradients.products), cell.number, time)
        return grad_output, grad_states, grad_products, grad_vectors

    start = (
        grad_last,
        context.by_slot(grad_states),
        [layout.empty_series(cell.size, context.inputs) for cell in cells],
        [[ops.zeros_like(vector) for vector in cell.vectors] for cell in cells],
    )
    _, grad_slots, grad_products, grad_vectors = ops.loop(count, step, start)
    grad_slots = tuple(tuple(layout.vectors_of(part) for part in slot) for slot in grad_slots)
    return InputGradients(
        tuple(
            cell.grad_weights(context.inputs, residuals[cell.number], products, vectors)
            for cell, products, vectors in zip(cells, grad_products, grad_vectors, strict=True)
        ),
        sequence._replace(inputs=None, states=grad_slots, mask=None, **_no_cotangents(sequence)),
        grad_products[0],
    )


def grad_inputs(
    spec: StackSpec, weights: Sequence[CellWeights], sequence: StackInputs, grad_products: Tensor
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        spec: Static options of the loop.
        weights: Weights of each cell.
        sequence: Arguments of the forward loop.
        grad_products: Cotangent of the first cell's pre-activations, a series of `[N]`.
    """
    kernel = ops.transpose(weights[0].input_kernel)
    product = spec.layout.apply_series(kernel, grad_products)
    return spec.layout.sequence_of(StackContext(spec, sequence).drop_all(product))


def _no_cotangents(sequence: StackInputs) -> dict[str, Any]:
    return {
        "zoneout": tuple(tuple(None for _ in node) for node in sequence.zoneout),
        "dropout": tuple(None for _ in sequence.dropout),
    }


def _stacked_cells(
    spec: StackSpec, weights: Sequence[CellWeights], context: StackContext
) -> list[StackedCell]:
    return [StackedCell(spec, number, part, context.inputs) for number, part in enumerate(weights)]
