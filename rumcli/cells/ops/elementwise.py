"""Elementary functions in the precision of their argument.

On JAX those of `keras.ops` compute in float32, even where the argument is float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import activations, ops

Tensor = Any


def cos(x: Tensor) -> Tensor:
    """Return the cosine, entry by entry."""
    return _apply("cos", x)


def sin(x: Tensor) -> Tensor:
    """Return the sine, entry by entry."""
    return _apply("sin", x)


def tanh(x: Tensor) -> Tensor:
    """Return the hyperbolic tangent, entry by entry."""
    return _apply("tanh", x)


def activate(activation: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return an activation of `x`, in the dtype of `x`."""
    result = tanh(x) if activation is activations.tanh else activation(x)
    return ops.cast(result, x.dtype)


def _apply(name: str, x: Tensor) -> Tensor:
    if keras.config.backend() == "jax":
        import jax.numpy as jnp

        return getattr(jnp, name)(x)
    return getattr(ops, name)(x)
