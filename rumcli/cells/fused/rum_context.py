"""What a loop over time needs besides the formulas: masks, zoneout, and where the memory begins."""

from __future__ import annotations

from typing import Any

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec, LoopInputs

Tensor = Any


class RUMContext:
    """One sequence, as the loops of one recipe see it.

    Attributes:
        inputs: A series of `[D]`.
        initial_state: Vectors `[H]`.
    """

    def __init__(self, recipe: KernelSpec, sequence: LoopInputs) -> None:
        self._layout = layout = recipe.layout
        self._units = recipe.units
        self._new_share = recipe.new_share
        self._memory = sequence.memory
        self._mask = self._draws = None
        self.inputs = layout.series_of(sequence.inputs)
        self.initial_state = layout.vectors_of(sequence.hidden_state)
        if sequence.mask is not None:
            self._mask = layout.pages_of(sequence.mask[:, :, None])
        if sequence.draws is not None:
            self._draws = layout.pages_of(sequence.draws)

    def blend(self, new: Tensor, state: Tensor, time: Tensor) -> Tensor:
        """Apply zoneout and mask: mix the new state with the old one."""
        if self._draws is not None:
            new = ops.where(self._layout.read_page(self._draws, time), new, state)
        elif self._new_share != 1.0:
            new = state + self._new_share * (new - state)
        if self._mask is not None:
            new = ops.where(self._layout.read_page(self._mask, time), new, state)
        return new

    def blend_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Split the cotangent of the mixture between the new state and the old one."""
        zero = ops.zeros_like(cotangent)
        of_new, of_state = cotangent, zero
        if self._mask is not None:
            is_real = self._layout.read_page(self._mask, time)
            of_new, of_state = ops.where(is_real, of_new, zero), ops.where(is_real, zero, of_new)
        if self._draws is not None:
            is_new = self._layout.read_page(self._draws, time)
            of_state += ops.where(is_new, zero, of_new)
            of_new = ops.where(is_new, of_new, zero)
        elif self._new_share != 1.0:
            of_state += (1.0 - self._new_share) * of_new
            of_new = self._new_share * of_new
        return of_new, of_state

    def zero_where_masked(self, axis: Tensor) -> Tensor:
        """Make the axes, pages of `[H]`, of masked steps zero: such a step turns nothing."""
        if self._mask is None:
            return axis
        return ops.where(self._mask, axis, ops.zeros_like(axis))

    def identity(self) -> Tensor:
        """Return the product of no rotations, `[B, H, H]`."""
        identity = ops.eye(self._units, dtype=self.inputs.dtype)
        batch = self._layout.samples(self.inputs)
        return ops.broadcast_to(identity, (batch, self._units, self._units))

    def from_start(self, state: Tensor) -> Tensor:
        """Return `R_0 v`: what the memory that was given at the start makes of `v`."""
        if self._memory is None:
            return state
        rows = self._layout.vectors_of(state)[:, :, None]
        return self._layout.vectors_of(ops.matmul(self._memory, rows)[:, :, 0])

    def no_cotangent(self) -> tuple[Tensor, ...]:
        """Return the cotangent of `R_0` before the first step backwards; empty if there is none."""
        return () if self._memory is None else (ops.zeros_like(self._memory),)

    def from_start_backward(
        self, cotangent: Tensor, state: Tensor, of_memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return `R_0ᵀ g`, g the cotangent of `R_0 v`, and add `g vᵀ` to the cotangent of R_0."""
        if self._memory is None:
            return cotangent, ()
        rows = self._layout.vectors_of(cotangent)
        outer = rows[:, :, None] * self._layout.vectors_of(state)[:, None]
        product = ops.matmul(rows[:, None], self._memory)[:, 0]
        return self._layout.vectors_of(product), (of_memory[0] + outer,)
