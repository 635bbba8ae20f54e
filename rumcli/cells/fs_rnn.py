"""Fast-Slow RNN: `FSRNNCell` (one step) and `FSRNN` (layer).

Source: arXiv:1705.08639. Pure math, no I/O.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer, Step
from rumcli.cells.fused import dispatch
from rumcli.cells.tensor import Tensor


@dispatch.register("rumcli.cells.fused.layer_adapter:fs_rnn")
@keras.saving.register_keras_serializable(package="rumcli")
class FSRNNCell(RecurrentCell):
    """One step of a Fast-Slow RNN: k ≥ 2 fast cells that share a state, and one slow cell.

    With input `x [B, D]`, state F of the fast cells and state S of the slow cell:

        o, F = fast₁(drop(x), F)
        s, S = slow(drop(o), S)
        o, F = fast₂(drop(s), F)
        o, F = fastᵢ(0, F)               for i = 3 … k; the zero input has width 1
        y    = drop(o)

    The states are those of F, followed by those of S.

    Args:
        fast_cells: List of k cells with states of equal sizes, each a cell that `keras.layers.RNN`
            accepts.
        slow_cell: Slow cell, likewise any cell that `keras.layers.RNN` accepts.
        dropout: Dropout rate, in [0, 1), of the connections between the cells. As in
            `keras.layers.Dropout`, the remaining values are scaled up.
        seed: Seed of the dropout masks.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If there are fewer than two fast cells, their state sizes differ, a cell object
            occurs twice or has another state dtype, or `dropout` is out of range.

    Source: arXiv:1705.08639, section 3.

    Example:
        >>> from rumcli.cells import FSRNNCell, LNLSTMCell, RUMCell
        >>> FSRNNCell([LNLSTMCell(8), LNLSTMCell(8)], RUMCell(16)).state_size
        [8, 8, 16]
    """

    def __init__(
        self,
        fast_cells: Sequence[Any],
        slow_cell: Any,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(fast_cells, (list, tuple)):
            raise ValueError(f"fast_cells must be a list of two or more cells, got {fast_cells!r}")
        fast_cells = [_cell(cell) for cell in fast_cells]
        slow_cell = _cell(slow_cell)
        if len(fast_cells) < 2:
            raise ValueError(f"fast_cells must be two or more cells, got {len(fast_cells)}")
        sizes = [_state_sizes(cell) for cell in fast_cells]
        if any(size != sizes[0] for size in sizes):
            raise ValueError(f"fast_cells must have states of the same sizes, got {sizes}")
        if len({id(cell) for cell in (*fast_cells, slow_cell)}) <= len(fast_cells):
            raise ValueError("fast_cells and slow_cell must be different objects")
        dropout = argument_validation.rate("dropout", dropout)
        super().__init__(_output_size(fast_cells[-1]), seed=seed, **kwargs)
        for cell in (*fast_cells, slow_cell):
            if getattr(cell, "state_dtype", self.state_dtype) != self.state_dtype:
                raise ValueError(
                    f"fast_cells and slow_cell must have states of the dtype {self.state_dtype}, "
                    f"that of the Fast-Slow RNN, got {cell.state_dtype} of {type(cell).__name__}"
                )
        self.fast_cells = fast_cells
        self.slow_cell = slow_cell
        self.dropout = dropout
        self.state_size = [*sizes[0], *_state_sizes(slow_cell)]

    @property
    def cells(self) -> list[Any]:
        """Cells in the order of execution: first fast cell, slow cell, remaining fast cells."""
        return [self.fast_cells[0], self.slow_cell, *self.fast_cells[1:]]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build the cells for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        features = self.input_dim(input_shape)
        outputs = [_output_size(cell) for cell in self.cells]
        self._widths = [features, outputs[0], outputs[1], *[1] * (len(outputs) - 3)]
        for cell, width in zip(self.cells, self._widths, strict=True):
            if not cell.built:
                cell.build((None, width))
                cell.built = True
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Any, ...]:
        """Compute the terms of the first fast cell that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Result of `draw` for the same steps; empty in inference.
        """
        first = self.fast_cells[0]
        value = self._drop(inputs, masks, 0)
        return first.precompute_inputs(value) if isinstance(first, RecurrentCell) else (value,)

    def step(
        self, projected: tuple[Any, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: States of the fast cells, then those of the slow cell.
            masks: Result of `draw` for one step; empty in inference.

        Returns:
            The output `[B, H]` and the new states.
        """
        return self.make_step()(projected, states, masks)

    def make_step(self) -> Step:
        """Compute the terms of each cell that all steps share.

        Returns:
            A `step` function that reuses them.
        """
        steps = [
            cell.make_step() if isinstance(cell, RecurrentCell) else None for cell in self.cells
        ]
        return functools.partial(self.step_with, steps)

    def step_with(
        self,
        steps: Sequence[Step | None],
        projected: tuple[Any, ...],
        states: list[Tensor],
        masks: Masks = (),
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step, using the given step functions of the cells.

        Args:
            steps: Step function of each of `cells`; None for a cell that is not a `RecurrentCell`.
            projected: Result of `precompute_inputs` for one step.
            states: States of the fast cells, then those of the slow cell.
            masks: Result of `draw` for one step; empty in inference.

        Returns:
            The output `[B, H]` and the new states.
        """
        count = len(_state_sizes(self.fast_cells[0]))
        fast, slow = list(states[:count]), list(states[count:])
        value: Any = None
        for number, cell in enumerate(self.cells):
            is_slow = number == 1
            cell_inputs = projected if number == 0 else self._precompute(value, masks, number)
            cell_masks = masks[1][number] if masks else ()
            before = slow if is_slow else fast
            step = steps[number]
            if step is not None:
                value, after = step(cell_inputs, before, cell_masks)
            else:
                value, after = self._call(cell, cell_inputs[0], before)
            fast, slow = (fast, after) if is_slow else (after, slow)
        return self._drop(value, masks, len(self.cells)), [*fast, *slow]

    @property
    def is_random(self) -> bool:
        """Whether the cell or one of its inner cells draws masks in training."""
        return bool(self.dropout) or any(
            cell.is_random for cell in self.cells if isinstance(cell, RecurrentCell)
        )

    def draw(self, batch: Any, steps: Any) -> Masks:
        """Draw the dropout masks and the masks of the inner cells for all steps of a sequence.

        Args:
            batch: Batch size, B.
            steps: Number of steps, T.

        Returns:
            A pair of tuples: dropout masks `[B, T, ·]` of each cell's input and of the output, `()`
            where none is needed; and the result of `draw` of each cell.
        """
        widths = [*self._widths, self.units]
        is_zero = [2 < number < len(self.cells) for number in range(len(widths))]
        dropout_masks = tuple(
            () if zero else self.mask((batch, steps, width), self.dropout)
            for width, zero in zip(widths, is_zero, strict=True)
        )
        cell_masks = tuple(
            cell.draw(batch, steps) if isinstance(cell, RecurrentCell) else ()
            for cell in self.cells
        )
        return (dropout_masks, cell_masks)

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the initial states: those of a fast cell, then those of the slow cell."""
        cells = (self.fast_cells[0], self.slow_cell)
        states = (state for cell in cells for state in _initial_state(cell, batch_size))
        return [ops.cast(state, self.compute_dtype) for state in states]

    def get_config(self) -> dict[str, Any]:
        """Return the cell's configuration for `from_config`."""
        config = super().get_config()
        del config["units"]
        serialize = keras.saving.serialize_keras_object
        return {
            **config,
            "fast_cells": [serialize(cell) for cell in self.fast_cells],
            "slow_cell": serialize(self.slow_cell),
            "dropout": self.dropout,
        }

    def _precompute(self, value: Tensor, masks: Masks, number: int) -> tuple[Any, ...]:
        """Precompute the inputs of a cell from the output of the cell before it."""
        cell = self.cells[number]
        if number > 2:
            value = ops.zeros_like(value[..., :1])
        value = self._drop(value, masks if number <= 2 else (), number)
        if not isinstance(cell, RecurrentCell):
            return (value,)
        return cell.precompute_inputs(ops.cast(value, cell.compute_dtype))

    def _call(self, cell: Any, value: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Advance a cell that is not a `RecurrentCell` by one step."""
        states = [ops.cast(state, cell.compute_dtype) for state in states]
        nested = isinstance(cell.state_size, (list, tuple))
        value, after = cell(value, states if nested else states[0])
        after = list(after) if isinstance(after, (list, tuple)) else [after]
        return self.to_state_dtype(value), [self.to_state_dtype(state) for state in after]

    def _drop(self, value: Tensor, masks: Masks, number: int) -> Tensor:
        if not masks or not self.dropout:
            return value
        keeps = ops.cast(masks[0][number], value.dtype)
        return value * keeps * (1.0 / (1.0 - self.dropout))


@keras.saving.register_keras_serializable(package="rumcli")
class FSRNN(RecurrentLayer):
    """Fast-Slow RNN over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`, where H is
    the size of the last fast cell.

    Args:
        fast_cells: List of at least two cells with states of equal sizes; see `FSRNNCell`.
        slow_cell: Slow cell.
        dropout: Dropout rate, in [0, 1), of the connections between the cells.
        seed: Seed of the dropout masks.
        implementation: Implementation of the time loop: `"auto"`, `"fused"` or `"plain"`; see
            `RecurrentLayer`. The fused loop supports `LNLSTMCell` and `RUMCell`.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`.

    Raises:
        ValueError: If an argument is out of range, or `implementation="fused"` is unsupported.

    Source: arXiv:1705.08639, section 3.

    Example:
        >>> from rumcli.cells import FSRNN, LNLSTMCell, RUMCell
        >>> layer = FSRNN([LNLSTMCell(8), LNLSTMCell(8)], RUMCell(16), dropout=0.35)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 8)
    """

    def __init__(
        self,
        fast_cells: Sequence[Any],
        slow_cell: Any,
        dropout: float = 0.0,
        seed: int | None = None,
        implementation: str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = FSRNNCell(
            fast_cells,
            slow_cell,
            dropout=dropout,
            seed=seed,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, implementation=implementation, **kwargs)


def _cell(cell: Any) -> Any:
    if isinstance(cell, dict):
        return keras.saving.deserialize_keras_object(cell)
    if not hasattr(cell, "state_size") or isinstance(cell, keras.layers.RNN):
        raise ValueError(
            f"fast_cells and slow_cell must be cells, such as LNLSTMCell(8), got {cell!r}"
        )
    return cell


def _state_sizes(cell: Any) -> list[int]:
    return [int(size) for size in tree.flatten(cell.state_size)]


def _output_size(cell: Any) -> int:
    return getattr(cell, "output_size", None) or _state_sizes(cell)[0]


def _initial_state(cell: Any, batch_size: Any) -> list[Tensor]:
    if hasattr(cell, "get_initial_state"):
        return tree.flatten(cell.get_initial_state(batch_size))
    return [ops.zeros((batch_size, size)) for size in _state_sizes(cell)]
