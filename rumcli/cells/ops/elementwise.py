"""Element-wise functions that preserve the precision of their argument, and modReLU.

On JAX the equivalents in `keras.ops` compute in float32 even for a float64 argument. modReLU, the
activation of EUNN and GORU, rescales magnitudes and preserves signs or phases. Source:
arXiv:1511.06464, equation 8.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import activations, ops

from rumcli.cells.tensor import Tensor

EPSILON = 1e-5
# Squared magnitudes up to this count as zero: far below `EPSILON`, far above underflow.
_SMALLEST_SQUARE = 1e-30


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


def modrelu(z: Tensor, bias: Tensor) -> Tensor:
    """Apply modReLU to real numbers.

    Args:
        z: Real inputs `[..., H]`.
        bias: Bias b, `[H]`.

    Returns:
        `[..., H]`: `sign(z) max(|z| + 1e-5 + b, 0)`; value and gradient are zero at `z = 0`.
    """
    return ops.sign(z) * ops.relu(ops.abs(z) + (bias + EPSILON))


def complex_modrelu(z: Tensor, bias: Tensor) -> Tensor:
    """Apply modReLU to complex numbers.

    Args:
        z: Complex inputs `[..., 2, H]`, as real and imaginary parts.
        bias: Bias b, `[H]`.

    Returns:
        `[..., 2, H]`: `z/(|z| + 1e-5) max(|z| + 1e-5 + b, 0)`, continuous at `z = 0`. The gradient
        is finite everywhere.
    """
    squared = ops.sum(ops.square(z), axis=-2, keepdims=True)
    is_zero = squared <= _SMALLEST_SQUARE
    magnitude = ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, squared))) + EPSILON
    return z * (ops.relu(magnitude + bias) / magnitude)
