"""The rotation in the plane of two vectors, as two reflections, and the vector helpers it needs.

Source: arXiv:1710.09537, section 3. Pure `keras.ops`: no files, no printing, no layers.

Notation: for `a = x/|x|`, `b = y/|y|` and the unit bisector `w` of `a` and `b`,

    Rotation(x → y) = (2wwᵀ − I)(2aaᵀ − I),

a product of two reflections. Against the textbook form `I − aaᵀ − vvᵀ + [a v]Rθ[a v]ᵀ` it needs no
`√(1 − cos²θ)`, whose gradient is infinite at parallel vectors and which loses half of the digits
near them, and it costs two dot products per vector.
"""

from __future__ import annotations

from typing import Any

from keras import backend, ops

Tensor = Any

# Below these sizes a vector has no direction. Far above the smallest normal number, so that the
# reciprocal, which a gradient contains, stays finite.
ZERO_NORM = {"float32": 1e-30, "float64": 1e-150}
# A sum of unit vectors that is not longer than this is made of rounding errors.
OPPOSED_NORM = {"float32": 2.0**-20, "float64": 2.0**-49}


def computation_dtype(dtype: str) -> str:
    """Return the dtype in which rotations and normalizations on data of `dtype` are computed.

    Half precision keeps about three digits: a chain of rotations in it would not stay orthogonal.
    """
    return "float64" if dtype == "float64" else "float32"


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Return the dot products of the last axes: `[..., H]`, `[..., H]` → `[..., 1]`."""
    return ops.sum(x * y, axis=-1, keepdims=True)


def unit(x: Tensor) -> Tensor:
    """Scale vectors to length 1; vectors below the smallest size that has a direction become zero.

    Args:
        x: `[..., H]`, float32 or float64, of any magnitude that the dtype holds.

    Returns:
        `[..., H]`. The gradient is finite everywhere, and zero where the result is zero.
    """
    # Dividing by the largest entry first keeps the sum of squares clear of overflow and underflow.
    # The direction does not depend on the scale, so cutting its gradient changes nothing.
    # `initial`: without it TensorFlow rejects an empty batch.
    scale = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True, initial=0.0))
    is_zero = scale <= ZERO_NORM[backend.standardize_dtype(x.dtype)]
    scaled = x / ops.where(is_zero, ops.ones_like(scale), scale)
    squared = ops.where(is_zero, ops.ones_like(scale), dot(scaled, scaled))
    return ops.where(is_zero, ops.zeros_like(x), scaled * ops.rsqrt(squared))


def bisector(a: Tensor, b: Tensor) -> Tensor:
    """Return the unit vector half-way between unit (or zero) vectors.

    Args:
        a: `[..., H]`, of length 1 or 0.
        b: `[..., H]`, of length 1 or 0.

    Returns:
        `[..., H]`; zero where `a` is zero or `b` is `−a`, where no bisector exists.
    """
    has_direction = ops.any(ops.not_equal(a, 0), axis=-1, keepdims=True)
    total = a + b
    # |a| and |b| are 1 only to rounding, and close to antiparallel vectors that rounding is all
    # that `total` is made of. Exactly, total ⟂ a − b; this subtracts what is not. On unit vectors
    # the correction is constant (zero), so it has no gradient.
    difference = a - b
    total = total - ops.stop_gradient(0.25 * dot(total, difference) * difference)
    squared = dot(total, total)
    exists = squared > OPPOSED_NORM[backend.standardize_dtype(a.dtype)] ** 2
    exists = ops.logical_and(exists, has_direction)
    inverse = ops.rsqrt(ops.where(exists, squared, ops.ones_like(squared)))
    return ops.where(exists, total * inverse, ops.zeros_like(total))


def reflect(mirror: Tensor, h: Tensor) -> Tensor:
    """Return `(2mmᵀ − I)h` for a unit (or zero) `mirror`: `[..., H]`, `[..., H]` → `[..., H]`."""
    return 2.0 * dot(mirror, h) * mirror - h


def rotate(x: Tensor, y: Tensor, h: Tensor) -> Tensor:
    """Rotate `h` by the rotation that turns the direction of `x` into the direction of `y`.

    Degenerate inputs, finite in value and gradient: if `x` or `y` is zero the rotation is the
    identity; if `y` points against `x`, where the plane is not defined, it is the reflection
    `I − 2aaᵀ`, which still maps `x` to `y` and keeps norms.

    Args:
        x: `[..., H]`, the direction to start from.
        y: `[..., H]`, the direction to arrive at.
        h: `[..., H]`, the vectors to rotate.

    Returns:
        `[..., H]` in the dtype of `h`, or float32 for integers, with the norm of `h`.

    Source: arXiv:1710.09537, equations 1-3.
    """
    h = _floating(h)
    dtype = computation_dtype(backend.standardize_dtype(h.dtype))
    a, w = _mirrors(x, y, dtype)
    return ops.cast(reflect(w, reflect(a, ops.cast(h, dtype))), h.dtype)


def rotation_operator(x: Tensor, y: Tensor) -> Tensor:
    """Return the rotation of `rotate` as matrices.

    Args:
        x: `[..., H]`, the direction to start from.
        y: `[..., H]`, the direction to arrive at.

    Returns:
        `[..., H, H]` in the dtype of `x`, or float32 for integers; `rotate(x, y, h)` equals
        `operator @ h`.
    """
    x = _floating(x)
    dtype = computation_dtype(backend.standardize_dtype(x.dtype))
    a, w = _mirrors(x, y, dtype)
    left = ops.stack(rank_two_factors(a, w)[0], axis=-1)
    right = ops.stack(rank_two_factors(a, w)[1], axis=-2)
    identity = ops.eye(x.shape[-1], dtype=dtype)
    return ops.cast(identity + ops.matmul(left, right), x.dtype)


def rank_two_factors(a: Tensor, w: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Split a rotation, given by its mirrors, into the identity plus a matrix of rank two.

    Args:
        a: `[..., H]`, the first mirror, of length 1 or 0.
        w: `[..., H]`, the second mirror, of length 1 or 0.

    Returns:
        `((w, a), (p, q))`, each `[..., H]`, such that the rotation is `I + wpᵀ + aqᵀ`.
    """
    return (w, a), (4.0 * dot(w, a) * a - 2.0 * w, -2.0 * a)


def _floating(x: Tensor) -> Tensor:
    """Return a tensor of floats: a rotation of integers is none of integers."""
    # Keras makes a float32 tensor of a NumPy array in float64 unless it is given the dtype.
    x = ops.convert_to_tensor(x, getattr(x, "dtype", None))
    return x if backend.is_float_dtype(x.dtype) else ops.cast(x, "float32")


def _mirrors(x: Tensor, y: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    a = unit(ops.cast(x, dtype))
    b = unit(ops.cast(y, dtype))
    # A zero y gives w = a, and two equal reflections are the identity, up to rounding.
    return a, bisector(a, b)
