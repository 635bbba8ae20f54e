"""A compiled loop as one function that TensorFlow differentiates like any other.

The samples are split into shards, which TensorFlow runs side by side: a loop of small products
keeps one core busy, not two. Where a sample carries a matrix from step to step, shards are so small
that the matrices of one stay in the cache.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Hashable
from typing import Any

import tensorflow as tf

from rumcli.cells.fused.column_layout import COLUMNS
from rumcli.cells.fused.compiled_loop import CompiledLoop, refusal
from rumcli.cells.fused.layout import Layout

Tensor = Any

# Fewer samples than this in a shard leave the vector units of a core idle.
_SMALLEST_SHARD = 32
# Of what is carried from step to step a shard has at most so many bytes, unless that were too few
# samples. Measured for ARUM with 32 MB of cache on one and two cores, docs/performance.md.
_MOST_CARRIED = 2_600_000
_SMALLEST_CARRYING_SHARD = 8


def layout() -> Layout:
    """Return the layout that is fastest on a CPU."""
    return COLUMNS


@tf.autograph.experimental.do_not_convert
def run(loop: CompiledLoop, recipe: Hashable, weights: Any, sequence: Any) -> list[Tensor]:
    """Run a loop over a sequence; can be differentiated once, in reverse mode.

    Args:
        loop: Which.
        recipe: Its options.
        weights: Nested tuples of tensors; None for those that the recipe has no use for.
        sequence: What one call works on, likewise: first the inputs; every tensor `[B, ...]`.

    Returns:
        The results of `loop.forward`.

    Raises:
        NotImplementedError: Once the gradient is differentiated, as forward mode does too.
    """
    every = tf.nest.flatten((weights, sequence))
    # Keras hands over variables, of which a custom gradient must know nothing.
    given = [tf.convert_to_tensor(tensor) for tensor in every if tensor is not None]

    def unpack(arguments: tuple[Tensor, ...]) -> tuple[Any, Any]:
        rest = iter(arguments)
        leaves = [None if tensor is None else next(rest) for tensor in every]
        return tf.nest.pack_sequence_as((weights, sequence), leaves)

    @tf.custom_gradient
    def differentiable(*arguments: Tensor):
        own, whole = unpack(_constant(arguments))
        shards = _split(whole, loop.carried(recipe))
        parts = [_compiled(loop.forward, recipe)(own, shard) for shard in shards]
        kept = [part for _, part in parts]

        def gradient(*cotangents: Tensor) -> list[Tensor | None]:
            # Within `tf.cond` and its like, TensorFlow finds what the forward loop left only
            # where an op outside of what is compiled asks for it.
            here = tf.nest.map_structure(_identity, (own, shards, kept))

            @tf.custom_gradient
            def differentiable_no_more(*given: Tensor):
                found = _backward(loop, recipe, *here, _constant(given[len(arguments) :]))
                return [g for g in found if g is not None], _refuse

            found = iter(differentiable_no_more(*arguments, *cotangents))
            # Masks and draws have no cotangents.
            return [next(found) if tensor.dtype.is_floating else None for tensor in arguments]

        return [
            tf.concat(each, axis=0) for each in zip(*(r for r, _ in parts), strict=True)
        ], gradient

    return list(differentiable(*given))


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


@functools.cache
def _compiled(function: Callable[..., Any], recipe: Hashable) -> Any:
    made = tf.function(functools.partial(function, recipe), jit_compile=True, autograph=False)
    _made.append(made)
    return made


def _backward(
    loop: CompiledLoop,
    recipe: Hashable,
    weights: Any,
    shards: list[Any],
    kept: list[Any],
    cotangents: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Return the cotangents of weights, then of the sequence; None for what has none."""
    sizes = [tf.shape(_inputs(shard))[0] for shard in shards]
    split = [tf.split(cotangent, sizes, num=len(sizes)) for cotangent in cotangents]
    found = [
        _compiled(loop.backward, recipe)(weights, shard, part, list(own))
        for shard, part, own in zip(shards, kept, zip(*split, strict=True), strict=True)
    ]
    inputs = [
        _compiled(loop.of_inputs, recipe)(weights, shard, part.rest)
        for shard, part in zip(shards, found, strict=True)
    ]
    of_weights = _together(tf.add_n, [part.weights for part in found])
    of_sequence = _together(functools.partial(tf.concat, axis=0), [part.sequence for part in found])
    return [*of_weights, tf.concat(inputs, axis=0), *of_sequence[1:]]


def _together(join: Callable[[Any], Tensor], parts: list[Any]) -> list[Tensor | None]:
    columns = zip(*(tf.nest.flatten(part) for part in parts), strict=True)
    return [None if column[0] is None else join(list(column)) for column in columns]


def _refuse(*_: Tensor) -> None:
    raise NotImplementedError(refusal("tf.autodiff.ForwardAccumulator"))


def _constant(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # Or TensorFlow would look for the gradient of the loop itself, where it records.
    return tuple(tf.stop_gradient(tensor) for tensor in tensors)


def _identity(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tf.identity(tensor)


def _inputs(sequence: Any) -> Tensor:
    return tf.nest.flatten(sequence)[0]


def _split(sequence: Any, carried: int) -> list[Any]:
    """Split the samples into equal parts for the cores, or more where they carry much."""
    inputs = _inputs(sequence)
    batch = inputs.shape[0]
    if batch is None:
        # Decided when it runs. What can't be split goes into the first part; the rest is empty.
        count = _cores()
        batch = tf.shape(inputs)[0]
        part = tf.where(
            (batch % count == 0) & (batch >= count * _SMALLEST_SHARD), batch // count, 0
        )
        sizes = tf.stack([batch - (count - 1) * part, *[part] * (count - 1)])
    else:
        sizes = count = _count(batch, carried * inputs.dtype.size)
    parts = [
        [None] * count if tensor is None else tf.split(tensor, sizes, num=count)
        for tensor in tf.nest.flatten(sequence)
    ]
    return [tf.nest.pack_sequence_as(sequence, part) for part in zip(*parts, strict=True)]


def _count(batch: int, carried: int) -> int:
    """Return how many shards there are of `batch` samples that carry so many bytes each."""
    much = batch * carried > _MOST_CARRIED
    smallest = _SMALLEST_CARRYING_SHARD if much else _SMALLEST_SHARD
    most = min(_cores(), batch // smallest)
    count = next((n for n in range(most, 1, -1) if batch % n == 0), 1)
    # A multiple keeps all cores as busy.
    counts = [n for n in range(count, batch // smallest + 1, count) if batch % n == 0] or [1]
    return next((n for n in counts if batch // n * carried <= _MOST_CARRIED), counts[-1])


def _cores() -> int:
    asked = tf.config.threading.get_intra_op_parallelism_threads()
    # Those that the process may use, on systems that tell.
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return asked or len(usable) or os.cpu_count() or 1
