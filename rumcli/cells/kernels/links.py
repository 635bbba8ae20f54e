"""One cell of a chain with its weights: its matrix products, and a step of it taken back."""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import Any, NamedTuple

import tensorflow as tf

from rumcli.cells.kernels import buffers
from rumcli.cells.kernels.chain_context import ChainContext
from rumcli.cells.kernels.chain_recipe import ChainRecipe, NodeKept, NodeWeights

Tensor = Any


class Back(NamedTuple):
    """What one step back gives: cotangents of the products, the states and the vectors."""

    products: Tensor
    states: list[Tensor]
    vectors: list[Tensor]


class Link:
    """One node with its place in the chain and its weights, as columns."""

    def __init__(
        self, recipe: ChainRecipe, number: int, weights: NodeWeights, like: Tensor
    ) -> None:
        self.node, self.number = recipe.nodes[number], number
        self.slot, self._has_input = recipe.slots[number], recipe.has_input[number]
        self._input_kernel = weights.input_kernel
        self._state_kernel = weights.state_kernel
        # Turned round once: inside the loop it would be done at every step.
        self._turned = [tf.transpose(weights.input_kernel), tf.transpose(weights.state_kernel)]
        self._bias = weights.bias[:, tf.newaxis]
        self.rows = weights.bias.shape[0]
        # Spread over the samples: sums over these, step by step, would not be vectorised.
        self.vectors = [
            tf.broadcast_to(vector[:, tf.newaxis], (vector.shape[0], tf.shape(like)[2]))
            for vector in weights.vectors
        ]

    def products(self, value: Tensor, hidden: Tensor) -> Tensor:
        """Return `[N, B]`: what the matrix products give."""
        input_kernel, state_kernel = self._turned
        of_state = tf.matmul(state_kernel, hidden)
        if not self._has_input:
            return of_state + self._bias
        of_value = tf.matmul(input_kernel, value) + self._bias
        rows = self.node.state_rows
        if rows == self.rows:
            return of_value + of_state
        return tf.concat([of_value[:rows] + of_state, of_value[rows:]], axis=0)

    def empty(self, like: Tensor) -> NodeKept:
        """Return buffers for what is kept of each step."""
        has_own_value = self.number and self._has_input
        return NodeKept(
            buffers.empty_rows(self._input_kernel.shape[0], like) if has_own_value else (),
            buffers.empty_rows(self.node.units, like),
            tuple(buffers.empty_pages(self.node.units, like) for _ in self.node.new_shares[1:]),
            buffers.empty_pages(self.rows, like),
        )

    def keep(
        self, kept: NodeKept, time: Tensor, value: Tensor, states: Many[Tensor], products: Tensor
    ) -> NodeKept:
        """Write one step down."""
        if tf.is_tensor(kept.value):
            kept = kept._replace(value=buffers.write_row(kept.value, time, value))
        others = zip(kept.others, states[1:], strict=True)
        return kept._replace(
            hidden=buffers.write_row(kept.hidden, time, states[0]),
            others=tuple(buffers.write_page(buffer, time, part) for buffer, part in others),
            products=buffers.write_page(kept.products, time, products),
        )

    def back(
        self, kept: NodeKept, of_after: Many[Tensor], context: ChainContext, time: Tensor
    ) -> Back:
        """Take the cotangents of the states after a step back to what the step was made of."""
        products = buffers.read_page(kept.products, time)
        before = [buffers.read_row(kept.hidden, time)]
        before += [buffers.read_page(other, time) for other in kept.others]
        of_after, of_before = context.blend_backward(of_after, self.number, time)
        with tf.GradientTape() as tape:
            tape.watch([products, before, self.vectors])
            after = self.node.advance(products, before, self.vectors)
        found = tape.gradient(
            after,
            [products, before, self.vectors],
            of_after,
            tf.UnconnectedGradients.ZERO,  # not every formula has every state in it
        )
        of_products, of_states, of_vectors = found
        of_states = [part + more for part, more in zip(of_states, of_before, strict=True)]
        of_gates = of_products[: self.node.state_rows]
        of_states[0] += tf.matmul(self._state_kernel, of_gates)
        return Back(of_products, of_states, of_vectors)

    def of_value(self, of_products: Tensor) -> Tensor | None:
        """Return the cotangent of the value that the node got; None if it got zero."""
        return tf.matmul(self._input_kernel, of_products) if self._has_input else None

    def of_weights(
        self, inputs: Tensor, kept: NodeKept, of_products: Tensor, of_vectors: Many[Tensor]
    ) -> NodeWeights:
        """Sum the cotangents of the weights over all steps and samples."""
        of_products = buffers.flat(of_products)
        of_gates = of_products[: self.node.state_rows]
        of_input_kernel = tf.zeros_like(self._input_kernel)
        if self._has_input:
            value = kept.value if self.number else inputs
            of_input_kernel = tf.matmul(buffers.flat(value), of_products, transpose_b=True)
        return NodeWeights(
            of_input_kernel,
            tf.matmul(buffers.flat(kept.hidden), of_gates, transpose_b=True),
            tf.reduce_sum(of_products, axis=1),
            tuple(tf.reduce_sum(vector, axis=1) for vector in of_vectors),
        )
