"""Forward and backward formulas on the vectors of all samples, in any layout, and of the rotation.

The formulas are those of `rumcli.cells.ops.rotation` and `rumcli.cells.ops.normalization`, with
explicit gradients. The backward pass reuses the statistics of the forward pass, one scalar per
sample each, through a `RecomputeCache`.

λ = 0 rotates the hidden state h by the step's rotation. λ = 1 rotates it by the product `P_t` of
all rotations so far. A rotation is the product of two reflections, in a = unit(x̃) and
w = unit(a + b), with b = unit(r). See docs/performance.md for the derivation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

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

    def __init__(self, layout: Layout, names: Sequence[str], cached: Tensor | None = None) -> None:
        """Create the cache of a step.

        Args:
            layout: Layout of the vectors.
            names: Names of all statistics, in the order of the units of `cached`.
            cached: Statistics of the forward pass, vectors of `len(names)` units; None in the
                forward pass itself.
        """
        self._layout = layout
        self._names = names
        self._values: dict[str, Tensor] = {}
        self._is_cached = cached is not None
        if cached is not None:
            self._values = {
                name: layout.part(cached, row, row + 1) for row, name in enumerate(names)
            }

    def __call__(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return the statistic `name`."""
        if not self._is_cached:
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
    layout: Layout, a: Tensor, b: Tensor, a_is_there: Tensor, cache: RecomputeCache
) -> tuple[Tensor, Tensor]:
    """Return `a + b`, corrected to be perpendicular to `a − b`, and `1/|a + b|`.

    Args:
        layout: Layout of the vectors.
        a: Vectors of length 1 or 0.
        b: Vectors of length 1 or 0.
        a_is_there: Boolean scalar per sample, whether `|a| = 1`.
        cache: Cache of the step's statistics.

    Returns:
        The sums, and their reciprocal lengths. The latter are zero where no bisector exists; see
        `rumcli.cells.ops.rotation.bisector`.
    """
    difference = a - b
    summed = a + b
    correction = cache("correction", lambda: 0.25 * layout.total(summed * difference))
    summed = summed - ops.stop_gradient(correction) * difference

    def inverse() -> Tensor:
        squared = layout.total(summed * summed)
        exists = squared > OPPOSED_NORM[ops.dtype_name(a)] ** 2
        exists = ops.logical_and(exists, a_is_there)
        length = ops.rsqrt(ops.where(exists, squared, ops.ones_like(squared)))
        return ops.where(exists, length, ops.zeros_like(length))

    return summed, cache("bisector_inverse", inverse)


def normalize(layout: Layout, x: Tensor, name: str, cache: RecomputeCache) -> tuple[Tensor, Tensor]:
    """Return vectors normalized to mean 0 and variance 1, and the reciprocal standard deviation."""
    share = 1.0 / layout.units(x)
    centered = x - cache(f"{name}_mean", lambda: share * layout.total(x))
    inverse = cache(
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
    _, (grad_x,) = ops.vjp(lambda x: activate(layout, name, x), [x], cotangent)
    return grad_x


def _mean_size(layout: Layout, x: Tensor) -> Tensor:
    # Scale at which squares neither overflow nor underflow. XLA sums faster than it takes a
    # maximum. Dividing before the sum avoids overflow.
    return layout.total(ops.abs(x) * (1.0 / layout.units(x)))


class Rotation(NamedTuple):
    """A rotation, and its products with the hidden state.

    Attributes:
        axis: Vector a.
        mirror: Vector w.
        inverse: Scalar 1/|a + b|, or 0 where no bisector exists.
        axis_state: Scalar a·h.
        mirror_axis: Scalar w·a.
        mirror_moved: Scalar w·p, with p = 2(a·h)a − h the state after the first reflection.
    """

    axis: Tensor
    mirror: Tensor
    inverse: Tensor
    axis_state: Tensor
    mirror_axis: Tensor
    mirror_moved: Tensor

    def apply(self, hidden_state: Tensor) -> Tensor:
        """Return the rotated hidden state."""
        along_mirror = 2.0 * self.mirror_moved * self.mirror
        return along_mirror - 2.0 * self.axis_state * self.axis + hidden_state


def make_rotation(
    layout: Layout,
    axis: Tensor,
    direction: Tensor,
    has_axis: Tensor,
    hidden_state: Tensor,
    cache: RecomputeCache,
) -> Rotation:
    """Return the rotation from `axis` to `direction`.

    Args:
        layout: Layout of the vectors.
        axis: Vector a, of length 1 or 0.
        direction: Vector b, of length 1 or 0.
        has_axis: Boolean scalar per sample, whether `|a| = 1`.
        hidden_state: Hidden state h.
        cache: Cache of the step's statistics.
    """
    total = layout.total
    summed, inverse = sum_of_directions(layout, axis, direction, has_axis, cache)
    mirror = summed * inverse
    axis_state = cache("axis_state", lambda: total(axis * hidden_state))
    mirror_axis = cache("mirror_axis", lambda: total(mirror * axis))
    mirror_moved = cache(
        "mirror_moved",
        lambda: 2.0 * axis_state * mirror_axis - total(mirror * hidden_state),
    )
    return Rotation(axis, mirror, inverse, axis_state, mirror_axis, mirror_moved)


class RotationCotangents(NamedTuple):
    """Cotangents of the arguments of a rotation.

    Attributes:
        hidden_state: Cotangent of h.
        axis: Cotangent of a, perpendicular to a, without the contribution through w.
        summed: Cotangent of a + b.
        axis_summed: Scalar product of a and `summed`.
    """

    hidden_state: Tensor
    axis: Tensor
    summed: Tensor
    axis_summed: Tensor


def rotate_backward(
    layout: Layout, rotation: Rotation, hidden_state: Tensor, cotangent: Tensor
) -> RotationCotangents:
    """Return the cotangents of the arguments of `rotation.apply(hidden_state)`."""
    a, w = rotation.axis, rotation.mirror
    along_mirror = layout.total(w * cotangent)
    along_axis = layout.total(a * cotangent)
    # Cotangents of p and w. Their products with a and w follow from those above.
    moved = 2.0 * along_mirror * w - cotangent
    axis_moved = 2.0 * along_mirror * rotation.mirror_axis - along_axis
    p = 2.0 * rotation.axis_state * a - hidden_state
    grad_mirror = 2.0 * rotation.mirror_moved * cotangent + 2.0 * along_mirror * p
    axis_of_mirror = 2.0 * (rotation.mirror_moved * along_axis + along_mirror * rotation.axis_state)
    mirror_of_mirror = 4.0 * rotation.mirror_moved * along_mirror
    grad_axis = 2.0 * (rotation.axis_state * moved + axis_moved * hidden_state)
    return RotationCotangents(
        hidden_state=2.0 * axis_moved * a - moved,
        axis=grad_axis - 4.0 * rotation.axis_state * axis_moved * a,
        summed=rotation.inverse * (grad_mirror - mirror_of_mirror * w),
        axis_summed=rotation.inverse * (axis_of_mirror - mirror_of_mirror * rotation.mirror_axis),
    )


class Recalled(NamedTuple):
    """The vectors `P_t h`, `P_{t−1} a` and `P_{t−1} w`."""

    state: Tensor
    axis: Tensor
    mirror: Tensor


def associate(
    layout: Layout, rotation: Rotation, rotated: Tensor, memory: Tensor
) -> tuple[Recalled, Tensor]:
    """Apply the associative memory to the rotated state, and update the memory.

    Args:
        layout: Layout of the vectors.
        rotation: Rotation Q of this step.
        rotated: Rotated state `Q h`.
        memory: Transposed memory `P_{t−1}ᵀ`, `[B, H, H]`. XLA multiplies rows by matrices twice as
            fast as matrices by columns.

    Returns:
        `P_t h = P_{t−1} Q h` with `P_{t−1} a` and `P_{t−1} w`, and the new memory `P_tᵀ`.
    """
    rows = layout.rows_of(rotated, rotation.axis, rotation.mirror)
    products = ops.matmul(rows, memory)
    update = _outer(_right_factors(layout, rows[:, 1:], rotation), products[:, 1:])
    return Recalled(*layout.from_rows(products)), memory + update


def associate_backward(
    layout: Layout,
    rotation: Rotation,
    recalled: Recalled,
    cotangent: Tensor,
    memory: Tensor,
    momentum: Tensor,
) -> tuple[RotationCotangents, Tensor, Tensor]:
    """Return the cotangents of the arguments of `P_t h`, and the memory of the previous step.

    Args:
        layout: Layout of the vectors.
        rotation: Rotation Q of this step.
        recalled: First result of `associate` for this step.
        cotangent: Cotangent g of `P_t h`.
        memory: Associative memory `P_t`, `[B, H, H]`.
        momentum: Sum of `g vᵀ − v gᵀ` over all later steps, with v = P h; `[B, H, H]`.

    Returns:
        The cotangents, `P_{t−1}`, and the momentum including this step.
    """
    g, v = cotangent, recalled.state
    pair = layout.rows_of(g, v)
    # Reuses the same rows: XLA would fuse a second transpose into the kernel elementwise, at twice
    # the time of the whole step.
    momentum = momentum + _outer(pair, ops.stack([pair[:, 1], -pair[:, 0]], axis=1))
    rows = layout.rows_of(recalled.axis, recalled.mirror)
    # The momentum M is antisymmetric: xᵀ M = −(M x)ᵀ.
    grad_axis, grad_mirror = layout.from_rows(-ops.matmul(rows, momentum))
    grad_axis = (
        2.0 * rotation.mirror_axis * grad_mirror - grad_axis
    )  # P_t a = 2(w·a) P_{t−1}w − P_{t−1}a
    products = ops.matmul(layout.rows_of(g, grad_axis, grad_mirror), memory)
    state, grad_axis, grad_mirror = layout.from_rows(products)
    a = rotation.axis
    axis_mirror = layout.total(a * grad_mirror)
    # The zero makes the update depend on the products. Otherwise XLA schedules it first, and copies
    # the memory in every step to keep `P_t` for them.
    rotation = rotation._replace(mirror_axis=rotation.mirror_axis + 0.0 * axis_mirror)
    factors = _right_factors(layout, layout.rows_of(a, rotation.mirror), rotation)
    update = _outer(rows, factors)
    cotangents = RotationCotangents(
        hidden_state=state,
        axis=-2.0 * (grad_axis - layout.total(a * grad_axis) * a),
        summed=-2.0 * rotation.inverse * (2.0 * axis_mirror * a - grad_mirror),
        axis_summed=-2.0 * rotation.inverse * axis_mirror,
    )
    return cotangents, memory - update, momentum


def final_momentum(memory: Tensor, cotangent: Tensor | None) -> Tensor:
    """Return the momentum after the last step, given the cotangent of the final `P [B, H, H]`."""
    if cotangent is None:
        return ops.zeros_like(memory)
    moment = ops.matmul(cotangent, memory, transpose_b=True)
    return moment - ops.transpose(moment, (0, 2, 1))


def _right_factors(layout: Layout, rows: Tensor, rotation: Rotation) -> Tensor:
    """Return the right factors `[B, 2, H]` of a and w in `Q − I`; see `rank_two_factors`.

    The update `P_t − P_{t−1} = P_{t−1} (Q − I)` is the sum of the outer products of `P_{t−1} a` and
    `P_{t−1} w` with these factors.
    """
    a, w = rows[:, 0], rows[:, 1]
    mirror_axis = layout.vectors_of(rotation.mirror_axis)
    return ops.stack([-2.0 * a, 4.0 * mirror_axis * a - 2.0 * w], axis=1)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    # Not a matrix product: XLA would materialize the sum before adding it to the memory.
    products = left[:, :, :, None] * right[:, :, None]
    return products[:, 0] + products[:, 1]
