"""Formulas on the vectors of all samples, each forwards and backwards, in any layout.

The same as in `rumcli.cells.ops.rotation` and `rumcli.cells.ops.normalization`, except that the
backward pass is written out and gets the statistics of the forward pass, one number per sample
each, instead of finding them again. A function takes them from `known`: see `Statistics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import activations

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.layout import Layout
from rumcli.cells.ops import elementwise
from rumcli.cells.ops.normalization import LAYER_NORM_EPSILON, SMALLEST_NORM
from rumcli.cells.ops.rotation import OPPOSED_NORM, ZERO_NORM

Tensor = Any

# These see the whole vector; the other activations see one entry at a time.
_ACROSS_UNITS = ("softmax", "log_softmax", "sparsemax")
# `glu` halves its argument.
_UNSUITABLE = ("glu",)


class RecomputeCache:
    """The numbers per sample that one step computes forwards and looks up backwards.

    Called with a name and a function: forwards it calls the function and notes the result,
    backwards it returns the noted result. One text of a formula so serves both ways.
    """

    def __init__(self, layout: Layout, names: Sequence[str], noted: Tensor | None = None) -> None:
        """Begin a step.

        Args:
            layout: Layout of the vectors.
            names: Names of all statistics, in the order of the units of `noted`.
            noted: Statistics of the forward pass, vectors of as many units; None forwards.
        """
        self._layout = layout
        self._names = names
        self._values: dict[str, Tensor] = {}
        self._is_noted = noted is not None
        if noted is not None:
            self._values = {
                name: layout.part(noted, row, row + 1) for row, name in enumerate(names)
            }

    def __call__(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return the statistic of that name."""
        if not self._is_noted:
            self._values[name] = compute()
        return self._values[name]

    def joined(self) -> Tensor:
        """Return all statistics as vectors of `len(names)` units."""
        return self._layout.join([self._values[name] for name in self._names])


def inverse_length(layout: Layout, x: Tensor) -> Tensor:
    """Return `1/|x|` of vectors of any magnitude; zero for zero."""
    size = ops.stop_gradient(_mean_size(layout, x))
    is_zero = size <= ZERO_NORM[ops.dtype_name(x)]
    reciprocal = 1.0 / ops.where(is_zero, ops.ones_like(size), size)
    scaled = x * reciprocal
    squared = ops.where(is_zero, ops.ones_like(size), layout.total(scaled * scaled))
    return ops.where(is_zero, ops.zeros_like(size), ops.rsqrt(squared) * reciprocal)


def sum_of_directions(
    layout: Layout, a: Tensor, b: Tensor, a_is_there: Tensor, known: RecomputeCache
) -> tuple[Tensor, Tensor]:
    """Return `a + b`, made perpendicular to `a − b`, and the reciprocal of its length.

    Args:
        layout: Layout of the vectors.
        a: Vectors of length 1 or 0.
        b: Vectors of length 1 or 0.
        a_is_there: Whether the length of a is 1; a number.
        known: Statistics of the step.

    Returns:
        The sums, and the reciprocals, which are zero where there is no bisector; see `bisector`.
    """
    difference = a - b
    summed = a + b
    correction = known("correction", lambda: 0.25 * layout.total(summed * difference))
    summed = summed - ops.stop_gradient(correction) * difference

    def inverse() -> Tensor:
        squared = layout.total(summed * summed)
        exists = squared > OPPOSED_NORM[ops.dtype_name(a)] ** 2
        exists = ops.logical_and(exists, a_is_there)
        length = ops.rsqrt(ops.where(exists, squared, ops.ones_like(squared)))
        return ops.where(exists, length, ops.zeros_like(length))

    return summed, known("bisector_inverse", inverse)


def normalize(layout: Layout, x: Tensor, name: str, known: RecomputeCache) -> tuple[Tensor, Tensor]:
    """Return vectors of mean 0 and variance 1, and the reciprocal of their deviation."""
    share = 1.0 / layout.units(x)
    centred = x - known(f"{name}_mean", lambda: share * layout.total(x))
    inverse = known(
        f"{name}_inverse",
        lambda: ops.rsqrt(share * layout.total(centred * centred) + LAYER_NORM_EPSILON),
    )
    return centred * inverse, inverse


def normalise_backward(
    layout: Layout, normalized: Tensor, inverse: Tensor, cotangent: Tensor
) -> Tensor:
    """Return the cotangent of the argument of `normalize`."""
    share = 1.0 / layout.units(normalized)
    slope = share * layout.total(cotangent * normalized)
    return inverse * (cotangent - share * layout.total(cotangent) - slope * normalized)


def time_norm(layout: Layout, x: Tensor, norm: float) -> Tensor:
    """Return the factors that give vectors the length `norm`; see `scale_to_norm`."""
    size = ops.maximum(_mean_size(layout, x), SMALLEST_NORM / layout.units(x))
    scale = ops.stop_gradient(size)
    scaled = x * (1.0 / scale)
    floor = ops.square(SMALLEST_NORM / scale)
    return norm * ops.rsqrt(ops.maximum(layout.total(scaled * scaled), floor)) / scale


def time_norm_backward(
    layout: Layout, factor: Tensor, result: Tensor, norm: float, cotangent: Tensor
) -> Tensor:
    """Return the cotangent of what was multiplied by `factor = time_norm(...)` to give `result`."""
    # Where the floor was in force the factor is a constant. Rounding must not hide that it was.
    is_free = factor < (1.0 - 1e-6) * norm / SMALLEST_NORM
    slope = layout.total(result * cotangent) / norm**2
    return factor * (cotangent - ops.where(is_free, slope, ops.zeros_like(slope)) * result)


def sigmoid_backward(result: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument of a sigmoid."""
    return cotangent * result * (1.0 - result)


def is_known_activation(activation: Callable[[Tensor], Tensor]) -> bool:
    """Tell whether an activation is one of Keras's own that keeps the shape of its argument."""
    name = getattr(activation, "__name__", "")
    return getattr(activations, name, None) is activation and name not in _UNSUITABLE


def activate(layout: Layout, name: str, x: Tensor) -> Tensor:
    """Apply the activation of that name in `keras.activations` to vectors."""
    function = getattr(activations, name)
    if name in _ACROSS_UNITS:
        return layout.vectors_of(elementwise.activate(function, layout.vectors_of(x)))
    return elementwise.activate(function, x)


def activate_backward(layout: Layout, name: str, x: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument `x` of `activate`."""
    _, (of_x,) = ops.vjp(lambda x: activate(layout, name, x), [x], cotangent)
    return of_x


def _mean_size(layout: Layout, x: Tensor) -> Tensor:
    # A scale by which squares neither overflow nor vanish. The largest entry would do as well, but
    # XLA sums faster than it compares. Divided before it is added up, so that it can't overflow.
    return layout.total(ops.abs(x) * (1.0 / layout.units(x)))
