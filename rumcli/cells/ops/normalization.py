"""Normalizations and weight initializers of the recurrent cells.

Pure `keras.ops`: no layers, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import backend, initializers, ops

from rumcli.cells.ops.rotation import computation_dtype, dot
from rumcli.cells.tensor import Tensor

LAYER_NORM_EPSILON = 1e-3
SMALLEST_NORM = 1e-6


def layer_norm(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Normalize the last axis to mean 0 and variance 1, then scale and shift it.

    Args:
        x: Input `[..., H]`.
        gain: Scale `[H]`.
        offset: Shift `[H]`.

    Returns:
        `[..., H]`: `(x − mean)/√(var + 1e-3) · gain + offset`. Source: arXiv:1607.06450.
    """
    # Not `keras.ops.mean`: on JAX it computes in float32 even if x is float64.
    size = x.shape[-1]
    centered = x - ops.sum(x, axis=-1, keepdims=True) / size
    variance = dot(centered, centered) / size
    return centered * ops.rsqrt(variance + LAYER_NORM_EPSILON) * gain + offset


def scale_to_norm(x: Tensor, norm: float) -> Tensor:
    """Scale vectors to the Euclidean length `norm`; the zero vector stays zero.

    Args:
        x: Vectors `[..., H]`; a length below 1e-6 is treated as 1e-6.
        norm: Time norm η, positive.

    Returns:
        `[..., H]`: `η x/|x|`. Source: arXiv:1710.09537, section 3.2.
    """
    # As in `unit`, divide by the largest entry first, against overflow. The scale has no gradient:
    # it is constant where the floor applies, and elsewhere the result does not depend on it.
    scale = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True, initial=SMALLEST_NORM))
    scaled = x / scale
    floor = ops.square(SMALLEST_NORM / scale)
    return norm * scaled * ops.rsqrt(ops.maximum(dot(scaled, scaled), floor))


def draw_at_full_precision(initializer: Any) -> Callable[..., Tensor] | None:
    """Return an initializer that draws half-precision weights in float32, then rounds them.

    Neither TensorFlow nor JAX supports the QR decomposition of the orthogonal initializer in
    bfloat16. In float16 the columns would be orthogonal to three digits only.

    Args:
        initializer: Identifier accepted by `keras.initializers.get`, or None.

    Returns:
        A function of `shape` and `dtype`, as accepted by `Layer.add_weight`; None for None.
    """
    draw = initializers.get(initializer)
    if draw is None:
        return None

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        dtype = backend.standardize_dtype(dtype)
        return ops.cast(draw(shape, dtype=computation_dtype(dtype)), dtype)

    return initialize


def per_block(initializer: initializers.Initializer, blocks: int) -> Callable[..., Tensor]:
    """Return an initializer that draws each of `blocks` equal groups of columns separately.

    The kernel of each gate must be orthogonal by itself. The two `[D + H, H]` halves of an
    orthogonal `[D + H, 2H]` matrix are not.

    Args:
        initializer: Initializer of one block.
        blocks: Number of blocks side by side; divides the number of columns.

    Returns:
        A function of `shape` and `dtype`, as accepted by `Layer.add_weight`.
    """

    def initialize(shape: tuple[int, int], dtype: str | None = None) -> Tensor:
        rows, columns = shape
        draws = [
            _reseeded(initializer, block)((rows, columns // blocks), dtype=dtype)
            for block in range(blocks)
        ]
        return ops.concatenate(draws, axis=-1)

    return initialize


def scaled(initializer: initializers.Initializer, factor: float) -> Callable[..., Tensor]:
    """Return an initializer that multiplies the values of another by a constant.

    Args:
        initializer: Initializer that draws the values.
        factor: Constant factor.

    Returns:
        A function of `shape` and `dtype`, as accepted by `Layer.add_weight`.
    """

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        return factor * initializer(shape, dtype=dtype)

    return initialize


def _reseeded(initializer: initializers.Initializer, offset: int) -> initializers.Initializer:
    # A Keras initializer draws the same values on every call. A plain function of shape and dtype,
    # which Keras accepts too, has no seed to change.
    if not isinstance(initializer, initializers.Initializer):
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += offset
    return initializer.__class__.from_config(config)
