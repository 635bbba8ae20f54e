"""Forward and backward formulas on the vectors of all samples, in any layout.

The formulas are those of `rumcli.cells.ops.rotation` and `rumcli.cells.ops.normalization`, with
explicit gradients. The backward pass reuses the statistics of the forward pass, one scalar per
sample each, through a `RecomputeCache`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keras import activations

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.layout import Layout
from rumcli.cells.ops import elementwise
from rumcli.cells.ops.normalization import LAYER_NORM_EPSILON, SMALLEST_NORM
from rumcli.cells.ops.rotation import OPPOSED_NORM, ZERO_NORM
from rumcli.cells.tensor import Tensor

# Activations over the whole vector; the others are elementwise.
_ACROSS_UNITS = ("softmax", "log_softmax", "sparsemax")
# `glu` halves its argument.
_UNSUITABLE = ("glu",)


class RecomputeCache:
    """Per-sample statistics of one step, computed in the forward pass and reused in the backward.

    A call with a name and a function computes and stores the result in the forward pass, and
    returns the stored result in the backward pass. Both passes thus share one formula.
    """

    def __init__(self, layout: Layout, names: Sequence[str], noted: Tensor | None = None) -> None:
        """Create the cache of a step.

        Args:
            layout: Layout of the vectors.
            names: Names of all statistics, in the order of the units of `noted`.
            noted: Statistics of the forward pass, vectors of `len(names)` units; None in the
                forward pass itself.
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
        """Return the statistic `name`."""
        if not self._is_noted:
            self._values[name] = compute()
        return self._values[name]

    def joined(self) -> Tensor:
        """Return all statistics as vectors of `len(names)` units."""
        return self._layout.join([self._values[name] for name in self._names])


def inverse_length(layout: Layout, x: Tensor) -> Tensor:
    """Return `1/|x|` of vectors of any magnitude, or 0 for zero vectors."""
    size = ops.stop_gradient(_mean_size(layout, x))
    is_zero = size <= ZERO_NORM[ops.dtype_name(x)]
    reciprocal = 1.0 / ops.where(is_zero, ops.ones_like(size), size)
    scaled = x * reciprocal
    squared = ops.where(is_zero, ops.ones_like(size), layout.total(scaled * scaled))
    return ops.where(is_zero, ops.zeros_like(size), ops.rsqrt(squared) * reciprocal)


def sum_of_directions(
    layout: Layout, a: Tensor, b: Tensor, a_is_there: Tensor, known: RecomputeCache
) -> tuple[Tensor, Tensor]:
    """Return `a + b`, corrected to be perpendicular to `a − b`, and `1/|a + b|`.

    Args:
        layout: Layout of the vectors.
        a: Vectors of length 1 or 0.
        b: Vectors of length 1 or 0.
        a_is_there: Boolean scalar per sample, whether `|a| = 1`.
        known: Cache of the step's statistics.

    Returns:
        The sums, and their reciprocal lengths. The latter are zero where no bisector exists; see
        `rumcli.cells.ops.rotation.bisector`.
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
    """Return vectors normalized to mean 0 and variance 1, and the reciprocal standard deviation."""
    share = 1.0 / layout.units(x)
    centered = x - known(f"{name}_mean", lambda: share * layout.total(x))
    inverse = known(
        f"{name}_inverse",
        lambda: ops.rsqrt(share * layout.total(centered * centered) + LAYER_NORM_EPSILON),
    )
    return centered * inverse, inverse


def normalize_backward(
    layout: Layout, normalized: Tensor, inverse: Tensor, cotangent: Tensor
) -> Tensor:
    """Return the cotangent of the argument of `normalize`."""
    share = 1.0 / layout.units(normalized)
    slope = share * layout.total(cotangent * normalized)
    return inverse * (cotangent - share * layout.total(cotangent) - slope * normalized)


def time_norm(layout: Layout, x: Tensor, norm: float) -> Tensor:
    """Return the factors that scale vectors to the length `norm`; see `scale_to_norm`."""
    size = ops.maximum(_mean_size(layout, x), SMALLEST_NORM / layout.units(x))
    scale = ops.stop_gradient(size)
    scaled = x * (1.0 / scale)
    floor = ops.square(SMALLEST_NORM / scale)
    return norm * ops.rsqrt(ops.maximum(layout.total(scaled * scaled), floor)) / scale


def time_norm_backward(
    layout: Layout, factor: Tensor, result: Tensor, norm: float, cotangent: Tensor
) -> Tensor:
    """Return the cotangent of x for `result = factor * x` with `factor = time_norm(layout, x)`."""
    # Below the floor the factor is constant. The tolerance covers its rounding.
    is_free = factor < (1.0 - 1e-6) * norm / SMALLEST_NORM
    slope = layout.total(result * cotangent) / norm**2
    return factor * (cotangent - ops.where(is_free, slope, ops.zeros_like(slope)) * result)


def sigmoid_backward(result: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument of a sigmoid."""
    return cotangent * result * (1.0 - result)


def is_known_activation(activation: Callable[[Tensor], Tensor]) -> bool:
    """Return whether an activation is a shape-preserving function of `keras.activations`."""
    name = getattr(activation, "__name__", "")
    return getattr(activations, name, None) is activation and name not in _UNSUITABLE


def activate(layout: Layout, name: str, x: Tensor) -> Tensor:
    """Apply the activation `name` of `keras.activations` to vectors."""
    function = getattr(activations, name)
    if name in _ACROSS_UNITS:
        return layout.vectors_of(elementwise.activate(function, layout.vectors_of(x)))
    return elementwise.activate(function, x)


def activate_backward(layout: Layout, name: str, x: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument `x` of `activate`."""
    _, (of_x,) = ops.vjp(lambda x: activate(layout, name, x), [x], cotangent)
    return of_x


def _mean_size(layout: Layout, x: Tensor) -> Tensor:
    # Scale at which squares neither overflow nor underflow. XLA sums faster than it takes a
    # maximum. Dividing before the sum avoids overflow.
    return layout.total(ops.abs(x) * (1.0 / layout.units(x)))
