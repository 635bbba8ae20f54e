"""modReLU, the activation of EUNN and GORU: it changes magnitudes and keeps signs or phases.

Source: arXiv:1511.06464, equation 8. Pure `keras.ops`: no layers, no files, no printing.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any

EPSILON = 1e-5
# Squares of magnitudes up to this are of zeros: far below `EPSILON`, far above underflow.
_SMALLEST_SQUARE = 1e-30


def modrelu(z: Tensor, bias: Tensor) -> Tensor:
    """Apply modReLU to real numbers.

    Args:
        z: `[..., H]`.
        bias: b, `[H]`.

    Returns:
        `[..., H]`: `sign(z) max(|z| + 1e-5 + b, 0)`; zero, with a gradient of zero, at `z = 0`.
    """
    return ops.sign(z) * ops.relu(ops.abs(z) + (bias + EPSILON))


def complex_modrelu(z: Tensor, bias: Tensor) -> Tensor:
    """Apply modReLU to complex numbers.

    Args:
        z: `[..., 2, H]`: the real and the imaginary parts.
        bias: b, `[H]`.

    Returns:
        `[..., 2, H]`: `z/(|z| + 1e-5) max(|z| + 1e-5 + b, 0)`, which is continuous at `z = 0`. The
        gradient is finite everywhere.
    """
    squared = ops.sum(ops.square(z), axis=-2, keepdims=True)
    is_zero = squared <= _SMALLEST_SQUARE
    magnitude = ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, squared))) + EPSILON
    return z * (ops.relu(magnitude + bias) / magnitude)
