"""The loop over time of a chain of cells, and its gradient, to be compiled by XLA.

A step passes a value from node to node. Nodes may share a state, as the fast cells of a Fast-Slow
RNN do. What the loops leave out is done for all steps at once: the products that give the gradients
of the kernels, which step by step would read and write every kernel T times.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from rumcli.cells.kernels import buffers
from rumcli.cells.kernels.nodes import Node
from rumcli.cells.kernels.program import Found

Tensor = Any


@dataclass(frozen=True)
class ChainRecipe:
    """The options that are compiled in.

    Attributes:
        nodes: In the order in which they act.
        slots: For each node, the number of the state that it has, from 0.
        has_input: For each node, whether it gets the value; else it gets zero.
        keep: Share of the values between the nodes that dropout keeps, where it draws.
        return_sequences: Whether all outputs are wanted, or the last only.
    """

    nodes: tuple[Node, ...]
    slots: tuple[int, ...]
    has_input: tuple[bool, ...]
    keep: float
    return_sequences: bool


class NodeWeights(NamedTuple):
    """The weights of a node.

    Attributes:
        input_kernel: `[D, N]`.
        state_kernel: `[H, M]`, M ≤ N: for the first M of the products.
        bias: `[N]`.
        vectors: What else the node's formulas have, `[·]` each.
    """

    input_kernel: Tensor
    state_kernel: Tensor
    bias: Tensor
    vectors: tuple[Tensor, ...]


class ChainSequence(NamedTuple):
    """What one call works on.

    Attributes:
        inputs: `[B, T, D]`.
        states: The initial ones, slot by slot, `[B, H]` each.
        mask: `[B, T]` boolean, or None.
        zoneout: For each node and state `[B, T, H]` boolean, whether a unit takes its new value;
            None where it does not draw.
        dropout: For the value that each node gets, and last for the output, `[B, T, ·]` boolean,
            whether it stays; None where it does not draw.
    """

    inputs: Tensor
    states: tuple[tuple[Tensor, ...], ...]
    mask: Tensor | None
    zoneout: tuple[tuple[Tensor | None, ...], ...]
    dropout: tuple[Tensor | None, ...]


class NodeKept(NamedTuple):
    """What the forward loop keeps of a node.

    Attributes:
        value: What it got, `[D, T, B]`; an empty tuple for the first, which gets the inputs, and
            for a node that gets zero.
        hidden: h before the step, `[H, T, B]`.
        others: Its other states before the step, `[T, H, B]` each.
        products: `[T, N, B]`.
    """

    value: Tensor | tuple[()]
    hidden: Tensor
    others: tuple[Tensor, ...]
    products: Tensor


def forward(
    recipe: ChainRecipe, weights: Many[NodeWeights], sequence: ChainSequence
) -> tuple[list[Tensor], tuple[NodeKept, ...]]:
    """Run the loop.

    Returns:
        The outputs `[B, T, H]` if they are wanted, the last one and the final states, `[B, H]`
        each; and what `backward` needs.
    """
    context = _Context(recipe, sequence)
    links = _links(recipe, weights, context)
    inputs = context.inputs

    def step(time: Tensor, output: Tensor, states: Any, kept: Any, outputs: Tensor):
        states, kept = [list(slot) for slot in states], list(kept)
        value = buffers.read_row(inputs, time)
        for link in links:
            value = context.drop(value, link.number, time) if link.number else value
            before = states[link.slot]
            products = link.products(value, before[0])
            kept[link.number] = link.keep(kept[link.number], time, value, before, products)
            after = link.node.advance(products, before, link.vectors)
            after = context.blend(after, before, link.number, time)
            states[link.slot], value = after, after[0]
        value = context.drop(value, len(links), time)
        value = context.show(value, output, time)
        return time + 1, value, states, kept, buffers.write_row(outputs, time, value)

    outputs = buffers.empty_rows(recipe.nodes[-1].units, inputs)
    kept = [link.empty(inputs) for link in links]
    start = (0, tf.zeros_like(outputs[:, 0]), context.states, kept, outputs)
    count = tf.shape(inputs)[1]
    _, last, states, kept, outputs = tf.while_loop(lambda time, *_: time < count, step, start)
    results = [tf.transpose(part) for part in (last, *tf.nest.flatten(states))]
    if recipe.return_sequences:
        results.insert(0, tf.transpose(outputs, (2, 1, 0)))
    return results, tuple(kept)


def backward(
    recipe: ChainRecipe,
    weights: Many[NodeWeights],
    sequence: ChainSequence,
    kept: Many[NodeKept],
    cotangents: Many[Tensor],
) -> Found:
    """Run the loop backwards.

    Args:
        recipe: As forwards.
        weights: As forwards.
        sequence: As forwards.
        kept: What the forward loop kept.
        cotangents: Of the results of `forward`.
    """
    context = _Context(recipe, sequence)
    links = _links(recipe, weights, context)
    count = tf.shape(context.inputs)[1]
    of_outputs, *others = cotangents if recipe.return_sequences else (None, *cotangents)
    if of_outputs is not None:
        of_outputs = tf.transpose(of_outputs, (1, 2, 0))
    of_last, *of_states = map(tf.transpose, others)

    def step(back: Tensor, of_output: Tensor, of_states: Any, of_products: Any, of_vectors: Any):
        time = count - 1 - back
        of_states, of_products = [list(slot) for slot in of_states], list(of_products)
        of_vectors = list(of_vectors)
        if of_outputs is not None:
            of_output += buffers.read_page(of_outputs, time)
        of_value, of_output = context.show_backward(of_output, time)
        of_value = context.drop(of_value, len(links), time)
        for link in reversed(links):
            after = of_states[link.slot]
            if of_value is not None:
                after = [after[0] + of_value, *after[1:]]
            found = link.back(kept[link.number], after, context, time)
            of_products[link.number] = buffers.write_row(
                of_products[link.number], time, found.products
            )
            of_vectors[link.number] = [
                sofar + more
                for sofar, more in zip(of_vectors[link.number], found.vectors, strict=True)
            ]
            of_states[link.slot] = found.states
            if link.number:
                of_value = context.drop(link.of_value(found.products), link.number, time)
        return back + 1, of_output, of_states, of_products, of_vectors

    start = (
        0,
        of_last,
        context.by_slot(of_states),
        [buffers.empty_rows(link.rows, context.inputs) for link in links],
        [[tf.zeros_like(vector) for vector in link.vectors] for link in links],
    )
    _, _, of_states, of_products, of_vectors = tf.while_loop(
        lambda back, *_: back < count, step, start
    )
    of_states = tuple(tuple(tf.transpose(part) for part in slot) for slot in of_states)
    return Found(
        tuple(
            link.of_weights(context.inputs, kept[link.number], products, vectors)
            for link, products, vectors in zip(links, of_products, of_vectors, strict=True)
        ),
        sequence._replace(inputs=None, states=of_states, mask=None, **_no_cotangents(sequence)),
        of_products[0],
    )


def of_inputs(
    recipe: ChainRecipe, weights: Many[NodeWeights], sequence: ChainSequence, of_products: Tensor
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        recipe: As forwards.
        weights: As forwards.
        sequence: As forwards.
        of_products: Cotangent of the first node's products, `[N, T, B]`.
    """
    kernel = weights[0].input_kernel
    shape = tf.shape(of_products)
    product = tf.matmul(kernel, buffers.flat(of_products))
    product = tf.reshape(product, (kernel.shape[0], shape[1], shape[2]))
    return tf.transpose(_Context(recipe, sequence).drop_all(product), (2, 1, 0))


def _no_cotangents(sequence: ChainSequence) -> dict[str, Any]:
    draws = {"zoneout": sequence.zoneout, "dropout": sequence.dropout}
    return {name: tf.nest.map_structure(lambda _: None, part) for name, part in draws.items()}


class _Back(NamedTuple):
    products: Tensor
    states: list[Tensor]
    vectors: list[Tensor]


class _Link:
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
        self, kept: NodeKept, of_after: Many[Tensor], context: _Context, time: Tensor
    ) -> _Back:
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
        return _Back(of_products, of_states, of_vectors)

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


class _Context:
    """Inputs, masks and draws of one call: samples side by side."""

    def __init__(self, recipe: ChainRecipe, sequence: ChainSequence) -> None:
        self._recipe = recipe
        self._mask = None
        if sequence.mask is not None:
            self._mask = tf.transpose(sequence.mask)[:, tf.newaxis]
        self._zoneout = [tuple(map(_pages, draws)) for draws in sequence.zoneout]
        self._dropout = list(map(_pages, sequence.dropout))
        self.inputs = self.drop_all(tf.transpose(sequence.inputs, (2, 1, 0)))
        self.states = [[tf.transpose(part) for part in slot] for slot in sequence.states]

    def by_slot(self, parts: Many[Tensor]) -> list[list[Tensor]]:
        """Sort what belongs to the states, one after the other, by slots."""
        rest = iter(parts)
        return [[next(rest) for _ in slot] for slot in self.states]

    def drop_all(self, values: Tensor) -> Tensor:
        """Drop out of the inputs `[D, T, B]`, or of their cotangent."""
        if self._dropout[0] is None:
            return values
        stays = tf.transpose(self._dropout[0], (1, 0, 2))
        return tf.where(stays, values / self._recipe.keep, tf.zeros_like(values))

    def drop(self, value: Tensor | None, number: int, time: Tensor) -> Tensor | None:
        """Drop out of what a node gets, or of its cotangent; the last number is the output's."""
        if value is None or self._dropout[number] is None:
            return value
        stays = buffers.read_page(self._dropout[number], time)
        return tf.where(stays, value * (1.0 / self._recipe.keep), tf.zeros_like(value))

    def show(self, value: Tensor, previous: Tensor, time: Tensor) -> Tensor:
        """Return the output of a step: where it is masked, the one before it."""
        if self._mask is None:
            return value
        return tf.where(buffers.read_page(self._mask, time), value, previous)

    def show_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Split the cotangent of an output between the step's own value and the one before."""
        zero = tf.zeros_like(cotangent)
        if self._mask is None:
            return cotangent, zero
        is_real = buffers.read_page(self._mask, time)
        return tf.where(is_real, cotangent, zero), tf.where(is_real, zero, cotangent)

    def blend(
        self, after: Many[Tensor], before: Many[Tensor], number: int, time: Tensor
    ) -> list[Tensor]:
        """Apply zoneout and mask to the states of a node."""
        blended = []
        for part, (new, old) in enumerate(zip(after, before, strict=True)):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            if draws is not None:
                new = tf.where(buffers.read_page(draws, time), new, old)
            elif share != 1.0:
                new = old + share * (new - old)
            if self._mask is not None:
                new = tf.where(buffers.read_page(self._mask, time), new, old)
            blended.append(new)
        return blended

    def blend_backward(
        self, cotangents: Many[Tensor], number: int, time: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Split the cotangents of the states between the new values and the old ones."""
        of_after, of_before = [], []
        for part, of_new in enumerate(cotangents):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            zero = of_old = tf.zeros_like(of_new)
            if self._mask is not None:
                is_real = buffers.read_page(self._mask, time)
                of_new, of_old = tf.where(is_real, of_new, zero), tf.where(is_real, zero, of_new)
            if draws is not None:
                is_new = buffers.read_page(draws, time)
                of_old += tf.where(is_new, zero, of_new)
                of_new = tf.where(is_new, of_new, zero)
            elif share != 1.0:
                of_old += (1.0 - share) * of_new
                of_new = share * of_new
            of_after.append(of_new)
            of_before.append(of_old)
        return of_after, of_before


def _links(recipe: ChainRecipe, weights: Many[NodeWeights], context: _Context) -> list[_Link]:
    return [_Link(recipe, number, own, context.inputs) for number, own in enumerate(weights)]


def _pages(draws: Tensor | None) -> Tensor | None:
    return None if draws is None else tf.transpose(draws, (1, 2, 0))
