"""Element-wise functions that preserve the precision of their argument.

On JAX the equivalents in `keras.ops` compute in float32 even for a float64 argument.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import activations, ops

from rumcli.cells.tensor import Tensor


def cos(x: Tensor) -> Tensor:
    """Return the element-wise cosine."""
    return _apply("cos", x)


def sin(x: Tensor) -> Tensor:
    """Return the element-wise sine."""
    return _apply("sin", x)


def tanh(x: Tensor) -> Tensor:
    """Return the element-wise hyperbolic tangent."""
    return _apply("tanh", x)


def activate(activation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply an activation to `x` and return the result in the dtype of `x`."""
    result = tanh(x) if activation is activations.tanh else activation(x)
    return ops.cast(result, x.dtype)


def _apply(name: str, x: Tensor) -> Tensor:
    if keras.config.backend() == "jax":
        import jax.numpy as jnp

        return getattr(jnp, name)(x)
    return getattr(ops, name)(x)
