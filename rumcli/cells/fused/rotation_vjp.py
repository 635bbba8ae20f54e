"""Forward and backward formulas of the rotation and the associative memory, for one step.

λ = 0 rotates the hidden state h by the step's rotation. λ = 1 rotates it by the product `P_t` of
all rotations so far. A rotation is the product of two reflections, in a = unit(x̃) and
w = unit(a + b), with b = unit(r). See docs/performance.md for the derivation.
"""

from __future__ import annotations

from typing import NamedTuple

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.layout import Layout
from rumcli.cells.fused.primitives import RecomputeCache, sum_of_directions
from rumcli.cells.tensor import Tensor


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
    known: RecomputeCache,
) -> Rotation:
    """Return the rotation from `axis` to `direction`.

    Args:
        layout: Layout of the vectors.
        axis: Vector a, of length 1 or 0.
        direction: Vector b, of length 1 or 0.
        has_axis: Boolean scalar per sample, whether `|a| = 1`.
        hidden_state: Hidden state h.
        known: Cache of the step's statistics.
    """
    total = layout.total
    summed, inverse = sum_of_directions(layout, axis, direction, has_axis, known)
    mirror = summed * inverse
    axis_state = known("axis_state", lambda: total(axis * hidden_state))
    mirror_axis = known("mirror_axis", lambda: total(mirror * axis))
    mirror_moved = known(
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
    layout: Layout, turn: Rotation, hidden_state: Tensor, cotangent: Tensor
) -> RotationCotangents:
    """Return the cotangents of the arguments of `turn.apply(hidden_state)`."""
    a, w = turn.axis, turn.mirror
    along_mirror = layout.total(w * cotangent)
    along_axis = layout.total(a * cotangent)
    # Cotangents of p and w. Their products with a and w follow from those above.
    moved = 2.0 * along_mirror * w - cotangent
    axis_moved = 2.0 * along_mirror * turn.mirror_axis - along_axis
    p = 2.0 * turn.axis_state * a - hidden_state
    of_mirror = 2.0 * turn.mirror_moved * cotangent + 2.0 * along_mirror * p
    axis_of_mirror = 2.0 * (turn.mirror_moved * along_axis + along_mirror * turn.axis_state)
    mirror_of_mirror = 4.0 * turn.mirror_moved * along_mirror
    of_axis = 2.0 * (turn.axis_state * moved + axis_moved * hidden_state)
    return RotationCotangents(
        hidden_state=2.0 * axis_moved * a - moved,
        axis=of_axis - 4.0 * turn.axis_state * axis_moved * a,
        summed=turn.inverse * (of_mirror - mirror_of_mirror * w),
        axis_summed=turn.inverse * (axis_of_mirror - mirror_of_mirror * turn.mirror_axis),
    )


class Recalled(NamedTuple):
    """The vectors `P_t h`, `P_{t−1} a` and `P_{t−1} w`."""

    state: Tensor
    axis: Tensor
    mirror: Tensor


def associate(
    layout: Layout, turn: Rotation, rotated: Tensor, memory: Tensor
) -> tuple[Recalled, Tensor]:
    """Apply the associative memory to the rotated state, and update the memory.

    Args:
        layout: Layout of the vectors.
        turn: Rotation Q of this step.
        rotated: Rotated state `Q h`.
        memory: Transposed memory `P_{t−1}ᵀ`, `[B, H, H]`. XLA multiplies rows by matrices twice as
            fast as matrices by columns.

    Returns:
        `P_t h = P_{t−1} Q h` with `P_{t−1} a` and `P_{t−1} w`, and the new memory `P_tᵀ`.
    """
    rows = layout.rows_of(rotated, turn.axis, turn.mirror)
    products = ops.matmul(rows, memory)
    update = _outer(_right_factors(layout, rows[:, 1:], turn), products[:, 1:])
    return Recalled(*layout.from_rows(products)), memory + update


def associate_backward(
    layout: Layout,
    turn: Rotation,
    recalled: Recalled,
    cotangent: Tensor,
    memory: Tensor,
    momentum: Tensor,
) -> tuple[RotationCotangents, Tensor, Tensor]:
    """Return the cotangents of the arguments of `P_t h`, and the memory of the previous step.

    Args:
        layout: Layout of the vectors.
        turn: Rotation Q of this step.
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
    of_axis, of_mirror = layout.from_rows(-ops.matmul(rows, momentum))
    of_axis = 2.0 * turn.mirror_axis * of_mirror - of_axis  # P_t a = 2(w·a) P_{t−1}w − P_{t−1}a
    products = ops.matmul(layout.rows_of(g, of_axis, of_mirror), memory)
    state, of_axis, of_mirror = layout.from_rows(products)
    factors = _right_factors(layout, layout.rows_of(turn.axis, turn.mirror), turn)
    update = _outer(rows, factors)
    a = turn.axis
    axis_mirror = layout.total(a * of_mirror)
    cotangents = RotationCotangents(
        hidden_state=state,
        axis=-2.0 * (of_axis - layout.total(a * of_axis) * a),
        summed=-2.0 * turn.inverse * (2.0 * axis_mirror * a - of_mirror),
        axis_summed=-2.0 * turn.inverse * axis_mirror,
    )
    return cotangents, memory - update, momentum


def final_momentum(memory: Tensor, cotangent: Tensor | None) -> Tensor:
    """Return the momentum after the last step, given the cotangent of the final `P [B, H, H]`."""
    if cotangent is None:
        return ops.zeros_like(memory)
    moment = ops.matmul(cotangent, memory, transpose_b=True)
    return moment - ops.transpose(moment, (0, 2, 1))


def _right_factors(layout: Layout, rows: Tensor, turn: Rotation) -> Tensor:
    """Return the right factors `[B, 2, H]` of a and w in `Q − I`; see `rank_two_factors`.

    The update `P_t − P_{t−1} = P_{t−1} (Q − I)` is the sum of the outer products of `P_{t−1} a` and
    `P_{t−1} w` with these factors.
    """
    a, w = rows[:, 0], rows[:, 1]
    mirror_axis = layout.vectors_of(turn.mirror_axis)
    return ops.stack([-2.0 * a, 4.0 * mirror_axis * a - 2.0 * w], axis=1)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    # Not a matrix product: XLA would materialize the sum before adding it to the memory.
    products = left[:, :, :, None] * right[:, :, None]
    return products[:, 0] + products[:, 1]
