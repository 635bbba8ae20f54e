"""Rotation in the plane of two vectors, computed as two reflections, and its vector helpers.

Source: arXiv:1710.09537, section 3. Pure `keras.ops`: no layers, no I/O.

Notation: for `a = x/|x|`, `b = y/|y|` and the unit bisector `w` of `a` and `b`,

    Rotation(x → y) = (2wwᵀ − I)(2aaᵀ − I),

a product of two reflections. Unlike the textbook form `I − aaᵀ − vvᵀ + [a v]Rθ[a v]ᵀ` it avoids
`√(1 − cos²θ)`, which has an infinite gradient at parallel vectors and loses half of the digits near
them. It costs two dot products per vector.
"""

from __future__ import annotations

from keras import backend, ops

from rumcli.cells.tensor import Tensor

# A vector with no larger entry counts as zero. Far above the smallest normal number, so that the
# reciprocal in the gradient stays finite.
ZERO_NORM = {"float32": 1e-30, "float64": 1e-150}
# A sum of unit vectors no longer than this consists of rounding errors.
OPPOSED_NORM = {"float32": 2.0**-20, "float64": 2.0**-49}


def computation_dtype(dtype: str) -> str:
    """Return the dtype for computing rotations and normalizations of data of `dtype`.

    Half precision has about three digits, so a chain of rotations would not stay orthogonal.
    """
    return "float64" if dtype == "float64" else "float32"


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Return the dot product over the last axis: `[..., H]`, `[..., H]` → `[..., 1]`."""
    return ops.sum(x * y, axis=-1, keepdims=True)


def unit(x: Tensor) -> Tensor:
    """Scale vectors to length 1; vectors with no entry above `ZERO_NORM` become zero.

    Args:
        x: Vectors `[..., H]`, float32 or float64, of any magnitude that the dtype represents.

    Returns:
        `[..., H]`. The gradient is finite everywhere, and zero where the result is zero.
    """
    # Dividing by the largest entry first protects the sum of squares from overflow and underflow.
    # The direction does not depend on the scale, so stopping its gradient changes nothing.
    # Without `initial`, TensorFlow rejects an empty batch.
    scale = ops.stop_gradient(ops.max(ops.abs(x), axis=-1, keepdims=True, initial=0.0))
    is_zero = scale <= ZERO_NORM[backend.standardize_dtype(x.dtype)]
    scaled = x / ops.where(is_zero, ops.ones_like(scale), scale)
    squared = ops.where(is_zero, ops.ones_like(scale), dot(scaled, scaled))
    return ops.where(is_zero, ops.zeros_like(x), scaled * ops.rsqrt(squared))


def bisector(a: Tensor, b: Tensor) -> Tensor:
    """Return the unit vector halfway between unit (or zero) vectors.

    Args:
        a: Vectors `[..., H]` of length 1 or 0.
        b: Vectors `[..., H]` of length 1 or 0.

    Returns:
        `[..., H]`; zero if `a` is zero or `b` is `−a`, where no bisector exists.
    """
    has_direction = ops.any(ops.not_equal(a, 0), axis=-1, keepdims=True)
    total = a + b
    # |a| and |b| are 1 only up to rounding, and for nearly antiparallel vectors `total` consists of
    # rounding errors. In exact arithmetic total ⟂ a − b; subtract the component that is not. For
    # unit vectors the correction is constant (zero), so it has no gradient.
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
    """Rotate `h` by the rotation that maps the direction of `x` to the direction of `y`.

    Value and gradient are finite for degenerate inputs. If `x` or `y` is zero, the rotation is the
    identity. If `y` is opposite to `x`, the plane is undefined; the result is then the reflection
    `I − 2aaᵀ`, which maps the direction of `x` to that of `y` and preserves norms.

    Args:
        x: Source directions `[..., H]`.
        y: Target directions `[..., H]`.
        h: Vectors `[..., H]` to rotate.

    Returns:
        The rotated vectors `[..., H]` in the dtype of `h`, or float32 for integers. Their norms are
        those of `h`.

    Source: arXiv:1710.09537, equations 1-3.

    Example:
        >>> import numpy as np
        >>> from rumcli.cells import rotate
        >>> x, y, h = np.eye(3, dtype="float32")
        >>> tuple(rotate(x, y, h).shape)
        (3,)
    """
    h = _floating(h)
    dtype = computation_dtype(backend.standardize_dtype(h.dtype))
    a, w = _mirrors(x, y, dtype)
    return ops.cast(reflect(w, reflect(a, ops.cast(h, dtype))), h.dtype)


def rotation_operator(x: Tensor, y: Tensor) -> Tensor:
    """Return the rotation applied by `rotate` as a matrix.

    Args:
        x: Source directions `[..., H]`.
        y: Target directions `[..., H]`.

    Returns:
        The matrices `[..., H, H]` in the dtype of `x`, or float32 for integers; `rotate(x, y, h)`
        equals `operator @ h`.

    Source: arXiv:1710.09537, equations 1-3.

    Example:
        >>> import numpy as np
        >>> from rumcli.cells import rotation_operator
        >>> x, y, _ = np.eye(3, dtype="float32")
        >>> tuple(rotation_operator(x, y).shape)
        (3, 3)
    """
    x = _floating(x)
    dtype = computation_dtype(backend.standardize_dtype(x.dtype))
    a, w = _mirrors(x, y, dtype)
    left = ops.stack(rank_two_factors(a, w)[0], axis=-1)
    right = ops.stack(rank_two_factors(a, w)[1], axis=-2)
    identity = ops.eye(x.shape[-1], dtype=dtype)
    return ops.cast(identity + ops.matmul(left, right), x.dtype)


def rank_two_factors(a: Tensor, w: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Decompose a rotation, given by its mirrors, into the identity plus a rank-two matrix.

    Args:
        a: First mirror `[..., H]`, of length 1 or 0.
        w: Second mirror `[..., H]`, of length 1 or 0.

    Returns:
        `((w, a), (p, q))`, each `[..., H]`, such that the rotation is `I + wpᵀ + aqᵀ`.
    """
    return (w, a), (4.0 * dot(w, a) * a - 2.0 * w, -2.0 * a)


def _floating(x: Tensor) -> Tensor:
    """Convert to a floating-point tensor; rotating integers does not yield integers."""
    # Without an explicit dtype Keras converts a float64 NumPy array to float32.
    x = ops.convert_to_tensor(x, getattr(x, "dtype", None))
    return x if backend.is_float_dtype(x.dtype) else ops.cast(x, "float32")


def _mirrors(x: Tensor, y: Tensor, dtype: str) -> tuple[Tensor, Tensor]:
    a = unit(ops.cast(x, dtype))
    b = unit(ops.cast(y, dtype))
    # A zero y yields w = a, and two equal reflections are the identity up to rounding.
    return a, bisector(a, b)
