"""The compiled loops as one function that TensorFlow differentiates like any other.

The samples are split into shards, which TensorFlow runs side by side: a loop of small products
keeps one core busy, not two.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import tensorflow as tf

from rumcli.cells.kernels import backward, forward
from rumcli.cells.kernels.recipe import Cotangents, Kept, Recipe, Sequence, Weights

Tensor = Any

# Fewer samples than this in a shard leave the vector units of a core idle.
_SMALLEST_SHARD = 32


@tf.autograph.experimental.do_not_convert
def run(
    recipe: Recipe, weights: Weights, sequence: Sequence
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Run RUM or ARUM over a sequence; can be differentiated once.

    Args:
        recipe: The options.
        weights: The weights; those that the recipe has no use for are None.
        sequence: Inputs, initial states, mask and zoneout.

    Returns:
        The outputs `[B, T, H]`, or None if only the last is wanted; the last state `[B, H]`; and
        with λ = 1, if it is used, the product of all rotations `[B, H, H]`.

    Raises:
        NotImplementedError: By whoever differentiates the gradient.
    """
    every = (*weights, *sequence)
    layout = [tensor is not None for tensor in every]
    # Keras hands over variables, of which a custom gradient must know nothing.
    given = [tf.convert_to_tensor(tensor) for tensor in every if tensor is not None]

    @tf.custom_gradient
    def differentiable(*arguments: Tensor):
        weights, sequence = _unpack(layout, _constant(arguments))
        shards = _split(sequence)
        parts = [_forward(recipe)(weights, shard) for shard in shards]
        kept = [part for *_, part in parts]

        def gradient(*cotangents: Tensor) -> list[Tensor | None]:
            @tf.custom_gradient
            def differentiable_no_more(*given: Tensor):
                found = _backward_of_all(
                    recipe, weights, shards, kept, _constant(given[len(arguments) :])
                )
                return [g for g in found if g is not None], _refuse

            found = differentiable_no_more(*arguments, *cotangents)
            # Mask and zoneout, the last arguments, have no cotangents.
            return [*found, *[None] * (len(arguments) - len(found))]

        return _results(recipe, parts), gradient

    results = list(differentiable(*given))
    outputs = results.pop(0) if recipe.return_sequences else None
    return outputs, results.pop(0), results.pop(0) if results else None


@functools.cache
def xla_is_there() -> bool:
    """Tell whether TensorFlow has a compiler for this machine; not all of its packages do."""
    with tf.init_scope():
        try:
            tf.function(lambda x: x + x, jit_compile=True)(1.0)
        except (tf.errors.OpError, NotImplementedError):
            return False
    return True


def traces() -> int:
    """Return how often a loop was traced in this process: each time, XLA compiles it anew."""
    return sum(f.experimental_get_tracing_count() for f in _made)


_made: list[Any] = []


def _compiled(function: Any) -> Any:
    made = tf.function(function, jit_compile=True, autograph=False)
    _made.append(made)
    return made


@functools.cache
def _forward(recipe: Recipe) -> Any:
    return _compiled(functools.partial(forward.forward, recipe))


@functools.cache
def _backward(recipe: Recipe) -> Any:
    return _compiled(functools.partial(backward.backward, recipe))


@functools.cache
def _of_inputs() -> Any:
    return _compiled(backward.of_inputs)


def _results(recipe: Recipe, parts: list[tuple[Tensor, Tensor, Kept]]) -> list[Tensor]:
    results = [tf.concat([last for _, last, _ in parts], axis=0)]
    if recipe.return_sequences:
        results.insert(0, tf.concat([outputs for outputs, _, _ in parts], axis=0))
    if recipe.memory_is_used:
        results.append(tf.concat([kept.memory for *_, kept in parts], axis=0))
    return results


def _backward_of_all(
    recipe: Recipe,
    weights: Weights,
    shards: list[Sequence],
    kept: list[Kept],
    cotangents: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Return the cotangents of weights and sequence."""
    sizes = [tf.shape(shard.inputs)[0] for shard in shards]
    split = [list(tf.split(cotangent, sizes, num=len(sizes))) for cotangent in cotangents]
    found = []
    for number, (shard, part) in enumerate(zip(shards, kept, strict=True)):
        own = [parts[number] for parts in split]
        outputs = own.pop(0) if recipe.return_sequences else None
        last, memory = own.pop(0), own.pop(0) if own else None
        found.append(_backward(recipe)(weights, shard, part, outputs, last, memory))
    return _gather(weights, found)


def _gather(weights: Weights, found: list[Cotangents]) -> list[Tensor | None]:
    def join(parts: list[Tensor | None]) -> Tensor | None:
        return None if parts[0] is None else tf.concat(parts, axis=0)

    of_weights = [
        None if parts[0] is None else tf.add_n(parts)
        for parts in zip(*(part.weights for part in found), strict=True)
    ]
    inputs = [_of_inputs()(weights, part.embedded, part.gates) for part in found]
    states = [join([part.hidden_state for part in found]), join([part.memory for part in found])]
    return [*of_weights, join(inputs), *states]


def _refuse(*_: Tensor) -> None:
    raise NotImplementedError(
        "the fused implementation has no second-order gradients; make the layer with "
        "implementation='plain'"
    )


def _constant(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # Or TensorFlow would look for the gradient of the loop itself, where it records.
    return tuple(tf.stop_gradient(tensor) for tensor in tensors)


def _unpack(layout: list[bool], arguments: tuple[Tensor, ...]) -> tuple[Weights, Sequence]:
    given = iter(arguments)
    every = [next(given) if there else None for there in layout]
    count = len(Weights._fields)
    return Weights(*every[:count]), Sequence(*every[count:])


def _split(sequence: Sequence) -> list[Sequence]:
    """Split the samples into equal parts, as many as there are cores to work on them."""
    batch = sequence.inputs.shape[0]
    if batch is None:
        # Decided when it runs. What can't be split goes into the first part; the rest is empty.
        count = _cores()
        batch = tf.shape(sequence.inputs)[0]
        part = tf.where(
            (batch % count == 0) & (batch >= count * _SMALLEST_SHARD), batch // count, 0
        )
        sizes = tf.stack([batch - (count - 1) * part, *[part] * (count - 1)])
    else:
        most = min(_cores(), batch // _SMALLEST_SHARD)
        sizes = count = next((n for n in range(most, 1, -1) if batch % n == 0), 1)
    parts = [
        [None] * count if tensor is None else tf.split(tensor, sizes, num=count)
        for tensor in sequence
    ]
    return [Sequence(*part) for part in zip(*parts, strict=True)]


def _cores() -> int:
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    # Those that the process may use, on systems that tell.
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return asked or len(usable) or os.cpu_count() or 1
