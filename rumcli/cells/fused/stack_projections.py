"""Matrix products of one cell of a stack, and the gradient of its step."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import NamedTuple

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.stack_context import StackContext
from rumcli.cells.fused.stack_spec import CellResiduals, CellWeights, StackSpec
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
