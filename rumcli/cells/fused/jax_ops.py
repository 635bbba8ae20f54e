"""Operations of the fused kernels on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from rumcli.cells.tensor import Tensor

abs = jnp.abs
broadcast_to = jnp.broadcast_to
concat = jnp.concatenate
dynamic_slice = lax.dynamic_slice
dynamic_update_slice = lax.dynamic_update_slice
logical_and = jnp.logical_and
maximum = jnp.maximum
ones_like = jnp.ones_like
reshape = jnp.reshape
rsqrt = lax.rsqrt
shape = jnp.shape
sigmoid = jax.nn.sigmoid
split = jnp.split
square = jnp.square
stack = jnp.stack
stop_gradient = lax.stop_gradient
sum = jnp.sum
tanh = jnp.tanh
tensordot = jnp.tensordot
transpose = jnp.transpose
where = jnp.where
zeros = jnp.zeros
zeros_like = jnp.zeros_like


def is_tensor(x: Any) -> bool:
    """Return whether `x` is an array, and not a tuple or list of arrays."""
    return not isinstance(x, (tuple, list))


def matmul(left: Tensor, right: Tensor, transpose_b: bool = False) -> Tensor:
    """Return the matrix product."""
    return left @ (jnp.swapaxes(right, -1, -2) if transpose_b else right)


def divide_no_nan(x: Tensor, y: Tensor) -> Tensor:
    """Return `x / y`, or zero where `y` is zero."""
    is_zero = y == 0
    return jnp.where(is_zero, jnp.zeros_like(x), x / jnp.where(is_zero, jnp.ones_like(y), y))


def unstack(x: Tensor, num: int, axis: int = 0) -> list[Tensor]:
    """Return the `num` slices of an array along an axis."""
    return list(jnp.moveaxis(x, axis, 0))


def eye(size: int, dtype: Any) -> Tensor:
    """Return the identity matrix `[size, size]`."""
    return jnp.eye(size, dtype=dtype)


def dtype_name(x: Tensor) -> str:
    """Return the name of an array's dtype, such as `"float32"`."""
    return jnp.dtype(x.dtype).name


def loop(count: Any, body: Callable[..., tuple], start: Sequence[Any]) -> list[Any]:
    """Return the carry after `count` steps of `body(time, *carry) → carry`."""
    return list(
        lax.fori_loop(0, count, lambda time, carry: tuple(body(time, *carry)), tuple(start))
    )


def vjp(function: Callable[..., Any], arguments: Any, cotangents: Any) -> tuple[Any, Any]:
    """Return `function(*arguments)` and the cotangents of the arguments, in their structure."""
    result, pullback = jax.vjp(function, *arguments)
    return result, list(pullback(cotangents))
