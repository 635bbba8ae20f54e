"""The gradient of the loop over time, to be compiled by XLA.

A step is made again of what the forward loop kept, then taken back to the state before it. The
products that give the gradients of the weights are made for all steps after the loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from rumcli.cells.kernels import buffers, recall
from rumcli.cells.kernels.columns import Statistics
from rumcli.cells.kernels.context import Context
from rumcli.cells.kernels.program import Found
from rumcli.cells.kernels.recipe import Kept, Recipe, Sequence, Weights
from rumcli.cells.kernels.step import Gates, Mix, StepFormulas, norm_weights, statistics

Tensor = Any


def backward(
    recipe: Recipe,
    weights: Weights,
    sequence: Sequence,
    kept: Kept,
    cotangents: list[Tensor],
) -> Found:
    """Run the loop backwards.

    Args:
        recipe: As forwards.
        weights: As forwards.
        sequence: As forwards.
        kept: What the forward loop kept.
        cotangents: Of the results of `forward`.
    """
    cotangents = list(cotangents)
    outputs = cotangents.pop(0) if recipe.return_sequences else None
    last = cotangents.pop(0)
    memory = cotangents.pop(0) if cotangents else None
    units = recipe.units
    context = Context(recipe, sequence)
    steps = _Steps(recipe, weights, context, kept)
    if outputs is not None:
        outputs = tf.transpose(outputs, (1, 2, 0))
    kernels = _state_kernels(recipe, weights)
    count = tf.shape(kept.axis)[1]

    def step(
        back: Tensor, of_state: Tensor, of_embedded: Tensor, of_gates: Tensor, gains: Any, rest: Any
    ):
        time = count - 1 - back
        if outputs is not None:
            of_state = of_state + buffers.read_page(outputs, time)
        found = steps.back(steps.again(time), time, of_state, rest)
        of_previous = found.state
        # Gate by gate: to put r and u side by side first would cost more than it saves.
        for number, of_gate in enumerate(found.gates):
            of_previous += tf.matmul(kernels[number], of_gate)
            of_gates = buffers.write_row(of_gates, time, of_gate, number * units)
        of_embedded = buffers.write_row(of_embedded, time, found.embedded)
        gains = [sofar + more for sofar, more in zip(gains, found.gains, strict=True)]
        return back + 1, of_previous, of_embedded, of_gates, gains, found.memory

    gains = [tf.zeros_like(context.initial_state)] * steps.count_of_gains
    rest = ()
    if recipe.associative:
        momentum = recall.final_momentum(kept.memory, memory)
        rest = (kept.memory, momentum, context.no_cotangent())
    empty = [buffers.empty_rows(rows, kept.axis) for rows in (units, recipe.gates)]
    _, of_state, of_embedded, of_gates, gains, rest = tf.while_loop(
        lambda back, *_: back < count, step, (0, tf.transpose(last), *empty, gains, rest)
    )
    of_memory = rest[2][0] if rest and rest[2] else None
    return Found(
        _of_weights(context, weights, kept, of_embedded, of_gates, gains),
        Sequence(None, tf.transpose(of_state), of_memory, None, None),
        (of_embedded, of_gates),
    )


def of_inputs(
    recipe: Recipe, weights: Weights, sequence: Sequence, of_products: tuple[Tensor, Tensor]
) -> Tensor:
    """Return the cotangent of the inputs, `[B, T, D]`.

    Args:
        recipe: As forwards.
        weights: As forwards.
        sequence: As forwards.
        of_products: Cotangents of the embedded inputs `[H, T, B]` and of the gates before any
            normalisation, `[2H, T, B]`.
    """
    of_embedded, of_gates = of_products
    units = of_embedded.shape[0]
    kernel = tf.concat([weights.candidate_kernel, weights.gate_kernel[:-units]], axis=1)
    cotangent = tf.concat([buffers.flat(of_embedded), buffers.flat(of_gates)], axis=0)
    shape = tf.shape(of_embedded)
    found = tf.reshape(tf.matmul(kernel, cotangent), (kernel.shape[0], shape[1], shape[2]))
    return tf.transpose(found, (2, 1, 0))


class _Again(NamedTuple):
    """A step made again, `[H, B]` each."""

    state: Tensor  # before the step
    axis: Tensor
    length: Tensor
    gates: Gates
    turn: recall.Turn
    recalled: recall.Recalled | None
    mix: Mix


class _Found(NamedTuple):
    """What one step back gives, `[H, B]` each."""

    state: Tensor  # without what comes by way of the gates
    gates: list[Tensor]
    embedded: Tensor
    gains: list[Tensor]
    memory: Any


class _Steps:
    """The steps of one sequence, to be made again and taken back."""

    def __init__(self, recipe: Recipe, weights: Weights, context: Context, kept: Kept) -> None:
        self._recipe = recipe
        self._formulas = StepFormulas(recipe, norm_weights(weights))
        self._context = context
        self._kept = kept
        self._names = statistics(recipe)
        parts = 2 + recipe.update_gate
        self.count_of_gains = 2 * parts if recipe.layer_norm else 0

    def again(self, time: Tensor) -> _Again:
        """Make a step again."""
        kept, context = self._kept, self._context
        state = buffers.read_row(kept.states, tf.maximum(time - 1, 0))
        state = tf.where(time > 0, state, context.initial_state)
        noted = buffers.materialise(buffers.read_page(kept.statistics, time))
        known = Statistics(self._names, noted)
        gates = self._formulas.gates(buffers.read_page(kept.gates, time), known)
        axis, length = buffers.read_row(kept.axis, time), buffers.read_row(kept.length, time)
        turn = recall.make_turn(axis, gates.direction, state, known)
        parts, recalled = None, turn.apply(state)
        if self._recipe.associative:
            parts = recall.Recalled(*tf.split(buffers.read_page(kept.recalled, time), 3))
            recalled = context.from_start(parts.state)
        mix = self._formulas.mix(axis * length + recalled, gates, state, known)
        return _Again(state, axis, length, gates, turn, parts, mix)

    def back(self, step: _Again, time: Tensor, cotangent: Tensor, memory: Any) -> _Found:
        """Take the cotangent of the state after a step to what the step was made of."""
        of_new, of_state = self._context.blend_backward(cotangent, time)
        of_candidate, of_update, of_mixed, gains = self._formulas.mix_backward(
            step.mix, step.gates, step.state, of_new
        )
        if self._recipe.associative:
            product, momentum, of_start = memory
            of_product, of_start = self._context.from_start_backward(
                of_candidate, step.recalled.state, of_start
            )
            of_turn, product, momentum = recall.associate_backward(
                step.turn, step.recalled, of_product, product, momentum
            )
            memory = (product, momentum, of_start)
        else:
            of_turn = recall.rotate_backward(step.turn, step.state, of_candidate)
        of_state += of_turn.hidden_state
        if of_mixed is not None:
            of_state += of_mixed
        of_axis = of_turn.axis + of_turn.summed - of_turn.axis_summed * step.axis
        # `summed` is perpendicular to a + b: its part along b is minus its part along a.
        of_direction = of_turn.summed + of_turn.axis_summed * step.gates.direction
        of_gates, more_gains = self._formulas.gates_backward(
            step.gates, step.gates.inverse_length * of_direction, of_update
        )
        embedded = of_candidate + tf.math.divide_no_nan(of_axis, step.length)
        return _Found(of_state, of_gates, embedded, gains + more_gains, memory)


def _state_kernels(recipe: Recipe, weights: Weights) -> list[Tensor]:
    """Return the rows of the gates' kernel that belong to the state, `[H, H]` for each gate."""
    kernel = weights.gate_kernel[-recipe.units :]
    return tf.split(kernel, recipe.gates // recipe.units, axis=1)


def _of_weights(
    context: Context,
    weights: Weights,
    kept: Kept,
    of_embedded: Tensor,
    of_gates: Tensor,
    gains: list[Tensor],
) -> Weights:
    """Sum the cotangents of the weights over all steps and samples."""
    before = tf.concat([context.initial_state[:, tf.newaxis], kept.states[:, :-1]], axis=1)
    inputs, of_embedded, of_gates = map(buffers.flat, (context.inputs, of_embedded, of_gates))
    of_input_kernel = tf.matmul(inputs, of_gates, transpose_b=True)
    of_state_kernel = tf.matmul(buffers.flat(before), of_gates, transpose_b=True)
    has_bias = weights.candidate_bias is not None
    sums = [tf.reduce_sum(gain, axis=1) for gain in gains]
    return Weights(
        gate_kernel=tf.concat([of_input_kernel, of_state_kernel], axis=0),
        gate_bias=tf.reduce_sum(of_gates, axis=1),
        candidate_kernel=tf.matmul(inputs, of_embedded, transpose_b=True),
        candidate_bias=tf.reduce_sum(of_embedded, axis=1) if has_bias else None,
        gate_gain=tf.concat(sums[2::2], axis=0) if sums else None,
        gate_offset=tf.concat(sums[3::2], axis=0) if sums else None,
        candidate_gain=sums[0] if sums else None,
        candidate_offset=sums[1] if sums else None,
    )
