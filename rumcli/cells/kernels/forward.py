"""The loop over time of RUM and ARUM, to be compiled by XLA.

The embedded inputs are made for all steps before the loop. Of each step the loop keeps the state,
the gates and a few numbers, of which `backward` makes the rest again.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rumcli.cells.kernels import buffers, columns, recall
from rumcli.cells.kernels.columns import Statistics
from rumcli.cells.kernels.context import Context
from rumcli.cells.kernels.recipe import Kept, Recipe, Sequence, Weights
from rumcli.cells.kernels.step import StepFormulas, norm_weights, statistics

Tensor = Any


def forward(recipe: Recipe, weights: Weights, sequence: Sequence) -> tuple[list[Tensor], Kept]:
    """Run the loop.

    Returns:
        The states `[B, T, H]` if they are wanted, the last one `[B, H]`, and with λ = 1, if it is
        used, the product of all rotations `[B, H, H]`; and what `backward` needs.
    """
    formulas = StepFormulas(recipe, norm_weights(weights))
    context = Context(recipe, sequence)
    axis, length = _embed(weights, context)
    kernel, bias = tf.transpose(weights.gate_kernel), weights.gate_bias[:, tf.newaxis]
    names = statistics(recipe)

    def step(time: Tensor, state: Tensor, states: Tensor, gates: Tensor, noted: Tensor, *memory):
        known = Statistics(names)
        # The inputs' share is not made for all steps before the loop: to read it would take longer.
        inputs = buffers.read_row(context.inputs, time)
        before = tf.matmul(kernel, tf.concat([inputs, state], axis=0)) + bias
        gate = formulas.gates(before, known)
        a = buffers.read_row(axis, time)
        turn = recall.make_turn(a, gate.direction, state, known)
        recalled = turn.apply(state)
        if recipe.associative:
            recollections, product = memory
            parts, product = recall.associate(turn, recalled, product)
            recollections = buffers.write_page(recollections, time, tf.concat(parts, axis=0))
            recalled = context.from_start(parts.state)
            memory = (recollections, product)
        candidate = a * buffers.read_row(length, time) + recalled
        new = context.blend(formulas.mix(candidate, gate, state, known).value, state, time)
        return (
            time + 1,
            new,
            buffers.write_row(states, time, new),
            buffers.write_page(gates, time, before),
            buffers.write_page(noted, time, known.rows()),
            *memory,
        )

    loop = [context.initial_state, buffers.empty_rows(recipe.units, axis)]
    loop += [buffers.empty_pages(rows, axis) for rows in (recipe.gates, len(names))]
    if recipe.associative:
        loop += [buffers.empty_pages(3 * recipe.units, axis), context.identity()]
    steps = tf.shape(axis)[1]
    _, last, states, gates, noted, *memory = tf.while_loop(
        lambda time, *_: time < steps, step, (0, *loop)
    )
    recollections, product = memory or (None, None)
    if product is not None:
        product = tf.transpose(product, (0, 2, 1))
    results = [tf.transpose(last)]
    if recipe.return_sequences:
        results.insert(0, tf.transpose(states, (2, 1, 0)))
    if recipe.memory_is_used:
        results.append(product)
    return results, Kept(axis, length, states, gates, noted, recollections, product)


def _embed(weights: Weights, context: Context) -> tuple[Tensor, Tensor]:
    """Return the directions `[H, T, B]` and lengths `[1, T, B]` of the embedded inputs."""
    inputs = context.inputs
    kernel, bias = weights.candidate_kernel, weights.candidate_bias
    product = tf.matmul(kernel, buffers.flat(inputs), transpose_a=True)
    product = product if bias is None else product + bias[:, tf.newaxis]
    shape = tf.shape(inputs)
    embedded = tf.reshape(product, (kernel.shape[1], shape[1], shape[2]))
    axis = context.zero_where_masked(embedded * columns.inverse_length(embedded))
    return axis, columns.total(axis * embedded)
