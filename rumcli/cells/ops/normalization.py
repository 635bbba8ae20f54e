"""Normalizations inside the recurrent cells, and the initializers of their weights.

Pure `keras.ops`: no layers, no files, no printing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import backend, initializers, ops

from rumcli.cells.ops.rotation import computation_dtype, dot

Tensor = Any

LAYER_NORM_EPSILON = 1e-3
SMALLEST_NORM = 1e-6


def layer_norm(x: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
    """Normalize the last axis to mean 0 and variance 1, then scale and shift it.

    Args:
        x: `[..., H]`.
        gain: `[H]`.
        offset: `[H]`.

    Returns:
        `[..., H]`: `(x − mean)/√(var + 1e-3) · gain + offset`. Source: arXiv:1607.06450.
    """
    # Not `keras.ops.mean`: on JAX it computes in float32 even where x is float64.
    size = x.shape[-1]
    centred = x - ops.sum(x, axis=-1, keepdims=True) / size
    variance = dot(centred, centred) / size
    return centred * ops.rsqrt(variance + LAYER_NORM_EPSILON) * gain + offset


def scale_to_norm(x: Tensor, norm: float) -> Tensor:
    """Give vectors the Euclidean length `norm`; the zero vector stays zero.

    Args:
        x: `[..., H]`; a vector shorter than 1e-6 is treated as if it were that long.
        norm: The time norm η, positive.

    Returns:
        `[..., H]`: `η x/|x|`. Source: arXiv:1710.09537, section 3.2.
    """
    # As in `unit`: by the largest entry first, against overflow. Where the floor is in force the
    # scale is a constant, elsewhere the result does not depend on it: its gradient is zero.
    scale = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True, initial=SMALLEST_NORM))
    scaled = x / scale
    floor = ops.square(SMALLEST_NORM / scale)
    return norm * scaled * ops.rsqrt(ops.maximum(dot(scaled, scaled), floor))


def draw_at_full_precision(initializer: Any) -> Callable[..., Tensor] | None:
    """Make an initializer draw half-precision weights in float32, then round them.

    Neither TensorFlow nor JAX has the QR decomposition of an orthogonal matrix in bfloat16, and in
    float16 its columns would be orthogonal to three digits only.

    Args:
        initializer: As `keras.initializers.get` takes it, or None.

    Returns:
        A function of `shape` and `dtype`, as `Layer.add_weight` takes it; None for None.
    """
    draw = initializers.get(initializer)
    if draw is None:
        return None

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        dtype = backend.standardize_dtype(dtype)
        return ops.cast(draw(shape, dtype=computation_dtype(dtype)), dtype)

    return initialize


def per_block(initializer: initializers.Initializer, blocks: int) -> Callable[..., Tensor]:
    """Make an initializer that draws each of `blocks` equal groups of columns by itself.

    An orthogonal `[D + H, 2H]` matrix is not two orthogonal `[D + H, H]` ones; gates need these.

    Args:
        initializer: Draws one block.
        blocks: Number of blocks side by side; divides the number of columns.

    Returns:
        A function of `shape` and `dtype`, as `Layer.add_weight` takes it.
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
    """Make an initializer that multiplies what another draws.

    Args:
        initializer: Draws the values.
        factor: Factor of each.

    Returns:
        A function of `shape` and `dtype`, as `Layer.add_weight` takes it.
    """

    def initialize(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        return factor * initializer(shape, dtype=dtype)

    return initialize


def _reseeded(initializer: initializers.Initializer, offset: int) -> initializers.Initializer:
    # A Keras initializer draws the same values each time it is called. A plain function of shape
    # and dtype, which Keras takes too, has no seed to change.
    if not isinstance(initializer, initializers.Initializer):
        return initializer
    config = initializer.get_config()
    if isinstance(config.get("seed"), int):
        config["seed"] += offset
    return initializer.__class__.from_config(config)
