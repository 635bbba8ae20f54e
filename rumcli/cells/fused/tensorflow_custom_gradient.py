"""A compiled loop as a TensorFlow function with a custom gradient.

The batch is split into shards that TensorFlow runs in parallel, because a loop of small matrix
products occupies only one core. If the loop carries a matrix per sample, the shard size is limited
so that the matrices of a shard fit into the cache.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Hashable
from typing import Any

import tensorflow as tf

from rumcli.cells.fused.kernel_spec import CompiledLoop, refusal
from rumcli.cells.fused.layout import COLUMNS, Layout
from rumcli.cells.tensor import Tensor

# Smaller shards leave the vector units of a core idle.
_SMALLEST_SHARD = 32
# Upper limit in bytes of a shard's carried matrices, unless the shard becomes smaller than
# `_SMALLEST_CARRYING_SHARD`. Measured for ARUM with 32 MB of cache on one and two cores; see
# docs/performance.md.
_MOST_CARRIED = 2_600_000
_SMALLEST_CARRYING_SHARD = 8


def layout() -> Layout:
    """Return the fastest layout on a CPU."""
    return COLUMNS


@tf.autograph.experimental.do_not_convert
def run(loop: CompiledLoop, spec: Hashable, weights: Any, sequence: Any) -> list[Tensor]:
    """Run a loop over a sequence, with a first-order reverse-mode gradient.

    Args:
        loop: Loop to run.
        spec: Static options of the loop.
        weights: Nested tuples of tensors; None for unused weights.
        sequence: Nested tuples of tensors `[B, ...]`, inputs first; None for unused tensors.

    Returns:
        The results of `loop.forward`.

    Raises:
        NotImplementedError: If the gradient is differentiated, including in forward mode.
    """
    optional_tensors = tf.nest.flatten((weights, sequence))
    # Keras passes variables, but a custom gradient must depend on tensors only.
    tensors = [tf.convert_to_tensor(tensor) for tensor in optional_tensors if tensor is not None]

    def unpack(arguments: tuple[Tensor, ...]) -> tuple[Any, Any]:
        rest = iter(arguments)
        leaves = [None if tensor is None else next(rest) for tensor in optional_tensors]
        return tf.nest.pack_sequence_as((weights, sequence), leaves)

    @tf.custom_gradient
    def differentiable(*arguments: Tensor) -> tuple[list[Tensor], Callable[..., Any]]:
        shared, whole = unpack(_constant(arguments))
        shards = _split(whole, loop.carried(spec))
        parts = [_compiled(loop.forward, spec)(shared, shard) for shard in shards]
        residuals = [part for _, part in parts]

        def gradient(*cotangents: Tensor) -> list[Tensor | None]:
            # In the gradient of `tf.cond` and other control flow, TensorFlow captures the residuals
            # only for ops outside the compiled function.
            captured: tuple[Any, Any, Any] = tf.nest.map_structure(
                _identity, (shared, shards, residuals)
            )

            @tf.custom_gradient
            def differentiable_once(
                *arguments_and_cotangents: Tensor,
            ) -> tuple[list[Tensor], Callable[..., Any]]:
                gradients = _backward(
                    loop, spec, *captured, _constant(arguments_and_cotangents[len(arguments) :])
                )
                return [g for g in gradients if g is not None], _refuse

            gradients = iter(differentiable_once(*arguments, *cotangents))
            # Boolean masks have no cotangents.
            return [next(gradients) if tensor.dtype.is_floating else None for tensor in arguments]

        return [
            tf.concat(each, axis=0) for each in zip(*(r for r, _ in parts), strict=True)
        ], gradient

    return list(differentiable(*tensors))


@functools.cache
def has_xla() -> bool:
    """Return whether this TensorFlow build includes an XLA compiler for this machine."""
    with tf.init_scope():
        try:
            tf.function(lambda x: x + x, jit_compile=True)(1.0)
        except (tf.errors.OpError, NotImplementedError):
            return False
    return True


def traces() -> int:
    """Return the number of traces, and so of XLA compilations, in this process."""
    return sum(f.experimental_get_tracing_count() for f in _compiled_functions)


_compiled_functions: list[Any] = []


@functools.cache
def _compiled(function: Callable[..., Any], spec: Hashable) -> Any:
    compiled = tf.function(functools.partial(function, spec), jit_compile=True, autograph=False)
    _compiled_functions.append(compiled)
    return compiled


def _backward(
    loop: CompiledLoop,
    spec: Hashable,
    weights: Any,
    shards: list[Any],
    residuals: list[Any],
    cotangents: tuple[Tensor, ...],
) -> list[Tensor | None]:
    """Return the cotangents of the weights, then of the sequence; None for missing ones."""
    sizes = [tf.shape(_inputs(shard))[0] for shard in shards]
    split = [tf.split(cotangent, sizes, num=len(sizes)) for cotangent in cotangents]
    gradients = [
        _compiled(loop.backward, spec)(weights, shard, part, list(shard_cotangents))
        for shard, part, shard_cotangents in zip(
            shards, residuals, zip(*split, strict=True), strict=True
        )
    ]
    inputs = [
        _compiled(loop.grad_inputs, spec)(weights, shard, part.rest)
        for shard, part in zip(shards, gradients, strict=True)
    ]
    grad_weights = _merge(tf.add_n, [part.weights for part in gradients])
    grad_sequence = _merge(
        functools.partial(tf.concat, axis=0), [part.sequence for part in gradients]
    )
    return [*grad_weights, tf.concat(inputs, axis=0), *grad_sequence[1:]]


def _merge(join: Callable[[Any], Tensor], parts: list[Any]) -> list[Tensor | None]:
    columns = zip(*(tf.nest.flatten(part) for part in parts), strict=True)
    return [None if column[0] is None else join(list(column)) for column in columns]


def _refuse(*_: Tensor) -> None:
    raise NotImplementedError(refusal("tf.autodiff.ForwardAccumulator"))


def _constant(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    # Otherwise an active tape would also differentiate the loop itself.
    return tuple(tf.stop_gradient(tensor) for tensor in tensors)


def _identity(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tf.identity(tensor)


def _inputs(sequence: Any) -> Tensor:
    return tf.nest.flatten(sequence)[0]


def _split(sequence: Any, carried: int) -> list[Any]:
    """Split the batch into equal shards for the cores, and into more if `carried` is large."""
    inputs = _inputs(sequence)
    batch = inputs.shape[0]
    if batch is None:
        # Decided at run time. An indivisible batch is the first shard; the others are empty.
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
    """Return the number of shards for `batch` samples with `carried` bytes each."""
    is_large = batch * carried > _MOST_CARRIED
    smallest = _SMALLEST_CARRYING_SHARD if is_large else _SMALLEST_SHARD
    most = min(_cores(), batch // smallest)
    count = next((n for n in range(most, 1, -1) if batch % n == 0), 1)
    # A multiple of the count keeps all cores equally busy.
    counts = [n for n in range(count, batch // smallest + 1, count) if batch % n == 0] or [1]
    return next((n for n in counts if batch // n * carried <= _MOST_CARRIED), counts[-1])


def _cores() -> int:
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    # CPU affinity of the process, where the system reports it.
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    return configured or len(usable) or os.cpu_count() or 1
