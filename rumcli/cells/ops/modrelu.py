"""modReLU, the activation of EUNN and GORU: rescales magnitudes, preserves signs or phases.

Source: arXiv:1511.06464, equation 8. Pure `keras.ops`: no layers, no I/O.
"""

from __future__ import annotations

from keras import ops

from rumcli.cells.tensor import Tensor

EPSILON = 1e-5
# Squared magnitudes up to this count as zero: far below `EPSILON`, far above underflow.
_SMALLEST_SQUARE = 1e-30


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
