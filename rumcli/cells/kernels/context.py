"""What a loop over time needs besides the formulas: masks, zoneout, and where the memory begins."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from rumcli.cells.kernels import buffers
from rumcli.cells.kernels.recipe import Recipe, Sequence

Tensor = Any


class Context:
    """One sequence, as the loops of one recipe see it: samples side by side.

    Attributes:
        inputs: `[D, T, B]`.
        initial_state: `[H, B]`.
    """

    def __init__(self, recipe: Recipe, sequence: Sequence) -> None:
        self._units = recipe.units
        self._new_share = recipe.new_share
        self._memory = sequence.memory
        self._mask = self._draws = None
        self.inputs = tf.transpose(sequence.inputs, (2, 1, 0))
        self.initial_state = tf.transpose(sequence.hidden_state)
        if sequence.mask is not None:
            self._mask = tf.transpose(sequence.mask)[:, tf.newaxis]
        if sequence.draws is not None:
            self._draws = tf.transpose(sequence.draws, (1, 2, 0))

    def blend(self, new: Tensor, state: Tensor, time: Tensor) -> Tensor:
        """Apply zoneout and mask: mix the new state with the old one, `[H, B]` each."""
        if self._draws is not None:
            new = tf.where(buffers.read_page(self._draws, time), new, state)
        elif self._new_share != 1.0:
            new = state + self._new_share * (new - state)
        if self._mask is not None:
            new = tf.where(buffers.read_page(self._mask, time), new, state)
        return new

    def blend_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Split the cotangent of the mixture between the new state and the old one."""
        zero = tf.zeros_like(cotangent)
        of_new, of_state = cotangent, zero
        if self._mask is not None:
            is_real = buffers.read_page(self._mask, time)
            of_new, of_state = tf.where(is_real, of_new, zero), tf.where(is_real, zero, of_new)
        if self._draws is not None:
            is_new = buffers.read_page(self._draws, time)
            of_state += tf.where(is_new, zero, of_new)
            of_new = tf.where(is_new, of_new, zero)
        elif self._new_share != 1.0:
            of_state += (1.0 - self._new_share) * of_new
            of_new = self._new_share * of_new
        return of_new, of_state

    def zero_where_masked(self, axis: Tensor) -> Tensor:
        """Make the axes `[H, T, B]` of masked steps zero: such a step turns nothing."""
        if self._mask is None:
            return axis
        return tf.where(tf.transpose(self._mask, (1, 0, 2)), axis, tf.zeros_like(axis))

    def identity(self) -> Tensor:
        """Return the product of no rotations, `[B, H, H]`."""
        batch = tf.shape(self.inputs)[2]
        return tf.eye(self._units, batch_shape=[batch], dtype=self.inputs.dtype)

    def from_start(self, state: Tensor) -> Tensor:
        """Return `R_0 v`: what the memory that was given at the start makes of `v [H, B]`."""
        if self._memory is None:
            return state
        return tf.transpose(tf.matmul(self._memory, tf.transpose(state)[:, :, tf.newaxis])[:, :, 0])

    def no_cotangent(self) -> tuple[Tensor, ...]:
        """Return the cotangent of `R_0` before the first step backwards; empty if there is none."""
        return () if self._memory is None else (tf.zeros_like(self._memory),)

    def from_start_backward(
        self, cotangent: Tensor, state: Tensor, of_memory: tuple[Tensor, ...]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return `R_0ᵀ g`, g the cotangent of `R_0 v`, and add `g vᵀ` to the cotangent of R_0."""
        if self._memory is None:
            return cotangent, ()
        rows = tf.transpose(cotangent)
        outer = rows[:, :, tf.newaxis] * tf.transpose(state)[:, tf.newaxis]
        product = tf.matmul(rows[:, tf.newaxis], self._memory)[:, 0]
        return tf.transpose(product), (of_memory[0] + outer,)
