"""Elementary functions in the precision of their argument.

On JAX those of `keras.ops` compute in float32, even where the argument is float64.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

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


def _apply(name: str, x: Tensor) -> Tensor:
    if keras.config.backend() == "jax":
        import jax.numpy as jnp

        return getattr(jnp, name)(x)
    return getattr(ops, name)(x)
