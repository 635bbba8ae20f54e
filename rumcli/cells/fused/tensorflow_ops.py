"""Operations of the fused kernels on TensorFlow, compiled by XLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# TensorFlow's public ops update a slice only along the first axis. These are the ops behind the
# conversion from JAX, `jax2tf`.
from tensorflow.compiler.tf2xla.python import xla

from rumcli.cells.tensor import Tensor

abs = tf.abs
broadcast_to = tf.broadcast_to
concat = tf.concat
divide_no_nan = tf.math.divide_no_nan
dynamic_slice = xla.dynamic_slice
dynamic_update_slice = xla.dynamic_update_slice
is_tensor = tf.is_tensor
logical_and = tf.logical_and
matmul = tf.matmul
maximum = tf.maximum
ones_like = tf.ones_like
reshape = tf.reshape
rsqrt = tf.math.rsqrt
shape = tf.shape
sigmoid = tf.sigmoid
split = tf.split
square = tf.square
stack = tf.stack
stop_gradient = tf.stop_gradient
sum = tf.reduce_sum
tanh = tf.tanh
tensordot = tf.tensordot
transpose = tf.transpose
unstack = tf.unstack
where = tf.where
zeros = tf.zeros
zeros_like = tf.zeros_like


def eye(size: int, dtype: Any) -> Tensor:
    """Return the identity matrix `[size, size]`."""
    return tf.eye(size, dtype=dtype)


def dtype_name(x: Tensor) -> str:
    """Return the name of a tensor's dtype, such as `"float32"`."""
    return x.dtype.name


def loop(count: Tensor, body: Callable[..., tuple], start: Sequence[Any]) -> list[Any]:
    """Return the carry after `count` steps of `body(time, *carry) → carry`."""
    _, *carry = tf.while_loop(
        lambda time, *_: time < count,
        lambda time, *carry: (time + 1, *body(time, *carry)),
        (0, *start),
    )
    return carry


def vjp(function: Callable[..., Any], arguments: Any, cotangents: Any) -> tuple[Any, Any]:
    """Return `function(*arguments)` and the cotangents of the arguments, in their structure."""
    result = function(*arguments)
    flat = tf.nest.flatten(arguments)
    # Not `tf.GradientTape`: forward-mode differentiation would record it.
    found = tf.gradients(
        tf.nest.flatten(result),
        flat,
        tf.nest.flatten(cotangents),
        # A result may be independent of an argument.
        unconnected_gradients=tf.UnconnectedGradients.ZERO,
    )
    return result, tf.nest.pack_sequence_as(arguments, found)
