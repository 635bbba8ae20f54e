"""Mask, zoneout and dropout of one call of the loop over a stack of cells."""

from __future__ import annotations

from collections.abc import Sequence as Many

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.stack_spec import StackInputs, StackSpec
from rumcli.cells.tensor import Tensor


class StackContext:
    """Arguments of one call, in the layout of a `StackSpec`."""

    def __init__(self, recipe: StackSpec, sequence: StackInputs) -> None:
        self._recipe = recipe
        self._layout = layout = recipe.layout
        self._mask = None
        if sequence.mask is not None:
            self._mask = layout.pages_of(sequence.mask[:, :, None])
        self._zoneout = [tuple(map(self._pages, draws)) for draws in sequence.zoneout]
        first, *others = sequence.dropout
        self._of_inputs = None if first is None else layout.series_of(first)
        self._dropout = [None, *map(self._pages, others)]
        self.inputs = self.drop_all(layout.series_of(sequence.inputs))
        self.states = [[layout.vectors_of(part) for part in slot] for slot in sequence.states]

    def by_slot(self, parts: Many[Tensor]) -> list[list[Tensor]]:
        """Group a flat list of tensors, one for each state, by slots."""
        rest = iter(parts)
        return [[next(rest) for _ in slot] for slot in self.states]

    def drop_all(self, values: Tensor) -> Tensor:
        """Apply dropout to the inputs, a series, or to their cotangent."""
        if self._of_inputs is None:
            return values
        return ops.where(self._of_inputs, values / self._recipe.keep, ops.zeros_like(values))

    def drop(self, value: Tensor | None, number: int, time: Tensor) -> Tensor | None:
        """Apply dropout to the input of cell `number`, or to its cotangent.

        The number of cells as `number` selects the output of the stack.
        """
        if value is None or self._dropout[number] is None:
            return value
        stays = self._layout.read_page(self._dropout[number], time)
        return ops.where(stays, value * (1.0 / self._recipe.keep), ops.zeros_like(value))

    def show(self, value: Tensor, previous: Tensor, time: Tensor) -> Tensor:
        """Return the output of a step, or the previous one where the step is masked."""
        if self._mask is None:
            return value
        return ops.where(self._layout.read_page(self._mask, time), value, previous)

    def show_backward(self, cotangent: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cotangents of the step's own output and of the previous one."""
        zero = ops.zeros_like(cotangent)
        if self._mask is None:
            return cotangent, zero
        is_real = self._layout.read_page(self._mask, time)
        return ops.where(is_real, cotangent, zero), ops.where(is_real, zero, cotangent)

    def blend(
        self, after: Many[Tensor], before: Many[Tensor], number: int, time: Tensor
    ) -> list[Tensor]:
        """Apply zoneout and the mask to the new and previous states of cell `number`."""
        blended = []
        for part, (new, old) in enumerate(zip(after, before, strict=True)):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            if draws is not None:
                new = ops.where(self._layout.read_page(draws, time), new, old)
            elif share != 1.0:
                new = old + share * (new - old)
            if self._mask is not None:
                new = ops.where(self._layout.read_page(self._mask, time), new, old)
            blended.append(new)
        return blended

    def blend_backward(
        self, cotangents: Many[Tensor], number: int, time: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the cotangents of the new and the previous states of cell `number`."""
        of_after, of_before = [], []
        for part, of_new in enumerate(cotangents):
            draws, share = self._zoneout[number][part], self._recipe.nodes[number].new_shares[part]
            zero = of_old = ops.zeros_like(of_new)
            if self._mask is not None:
                is_real = self._layout.read_page(self._mask, time)
                of_new, of_old = ops.where(is_real, of_new, zero), ops.where(is_real, zero, of_new)
            if draws is not None:
                is_new = self._layout.read_page(draws, time)
                of_old += ops.where(is_new, zero, of_new)
                of_new = ops.where(is_new, of_new, zero)
            elif share != 1.0:
                of_old += (1.0 - share) * of_new
                of_new = share * of_new
            of_after.append(of_new)
            of_before.append(of_old)
        return of_after, of_before

    def _pages(self, draws: Tensor | None) -> Tensor | None:
        return None if draws is None else self._layout.pages_of(draws)
