"""Mask, zoneout and initial memory of one call of the loop of RUM and ARUM."""

from __future__ import annotations

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.kernel_spec import KernelSpec, LoopInputs
from rumcli.cells.tensor import Tensor


class RUMContext:
    """Arguments of one call, in the layout of a `KernelSpec`.

    Attributes:
        inputs: Inputs, a series of `[D]`.
        initial_state: Initial hidden state, vectors `[H]`.
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
        """Apply zoneout and the mask to the new and the previous state."""
        if self._draws is not None:
            new = ops.where(self._layout.read_page(self._draws, time), new, state)
        elif self._new_share != 1.0:
            new = state + self._new_share * (new - state)
        if self._mask is not None:
            new = ops.where(self._layout.read_page(self._mask, time), new, state)
        return new

    def blend_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cotangents of the new and the previous state."""
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
        """Zero the axes, pages of `[H]`, of masked steps, so that these do not rotate."""
        if self._mask is None:
            return axis
        return ops.where(self._mask, axis, ops.zeros_like(axis))

    def identity(self) -> Tensor:
        """Return identity matrices `[B, H, H]`."""
        identity = ops.eye(self._units, dtype=self.inputs.dtype)
        batch = self._layout.samples(self.inputs)
        return ops.broadcast_to(identity, (batch, self._units, self._units))

    def from_start(self, state: Tensor) -> Tensor:
        """Return `R_0 v`, with `R_0` the initial associative memory."""
        if self._memory is None:
            return state
        rows = self._layout.vectors_of(state)[:, :, None]
        return self._layout.vectors_of(ops.matmul(self._memory, rows)[:, :, 0])

    def no_cotangent(self) -> tuple[Tensor, ...]:
        """Return the initial cotangent of `R_0` for the backward loop; empty without `R_0`."""
        return () if self._memory is None else (ops.zeros_like(self._memory),)

    def from_start_backward(
        self, cotangent: Tensor, state: Tensor, of_memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return `R_0ᵀ g` and the accumulated cotangent of `R_0`, plus `g vᵀ`.

        Args:
            cotangent: Cotangent g of `R_0 v`.
            state: Vectors v.
            of_memory: Cotangent of `R_0` from later steps; empty without `R_0`.
        """
        if self._memory is None:
            return cotangent, ()
        rows = self._layout.vectors_of(cotangent)
        outer = rows[:, :, None] * self._layout.vectors_of(state)[:, None]
        product = ops.matmul(rows[:, None], self._memory)[:, 0]
        return self._layout.vectors_of(product), (of_memory[0] + outer,)
