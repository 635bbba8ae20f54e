"""Kernels of linear recurrences, which need no loop over time: LRU and DeltaProduct.

They consist of `keras.ops` and run on every backend, with automatic gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from rumcli.cells.fused import dispatch
from rumcli.cells.fused.dispatch import LoopResults
from rumcli.cells.tensor import Tensor

# Reflections of a block: the work grows with its size, the number of blocks shrinks.
_BLOCK = 32


def _hold_outputs(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """Replace the output of each masked step by that of the last unmasked step before it.

    Args:
        outputs: Outputs `[B, T, H]`.
        mask: Boolean mask `[B, T]`, or None.

    Returns:
        `[B, T, H]`; before the first unmasked step, the output of the first step.
    """
    if mask is None:
        return outputs
    steps = ops.arange(outputs.shape[1], dtype="int32")
    last = ops.where(mask, steps, ops.zeros_like(steps))
    last_unmasked = ops.associative_scan(ops.maximum, last, axis=1)
    return ops.take_along_axis(outputs, ops.expand_dims(last_unmasked, -1), axis=1)


def _results(layer: Any, outputs: Tensor, mask: Tensor | None, states: list[Tensor]) -> LoopResults:
    outputs = _hold_outputs(outputs, mask)
    return (outputs if layer.return_sequences else None), outputs[:, -1], states


class _ParallelForm(dispatch.Kernel):
    def why_not_fusable(self, cell: Any) -> str | None:
        return None


class _LinearRecurrence(_ParallelForm):
    """Associative scan of `s' = λ s + u` with diagonal, real or complex λ."""

    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        cell, count = layer.cell, len(initial_state)
        driven, skipped = cell.precompute_inputs(ops.cast(sequences, cell.compute_dtype))
        terms = ops.split(driven, count, axis=-1)
        factors = [ops.broadcast_to(part, ops.shape(skipped)) for part in cell.eigenvalue_parts()]
        if mask is not None:
            # A masked step multiplies the state by one.
            is_unmasked = ops.expand_dims(mask, -1)
            terms = [ops.where(is_unmasked, term, 0.0) for term in terms]
            factors = [
                ops.where(is_unmasked, factor, one)
                for factor, one in zip(factors, (1.0, 0.0), strict=False)
            ]
        carried = cell.multiply(
            [factor[:, :1] for factor in factors], [s[:, None] for s in initial_state]
        )
        terms = [
            ops.concatenate([term[:, :1] + first, term[:, 1:]], axis=1)
            for term, first in zip(terms, carried, strict=True)
        ]

        def combine(earlier: Any, later: Any) -> Any:
            moved = cell.multiply(later[0], earlier[1])
            total = [one + term for one, term in zip(moved, later[1], strict=True)]
            return cell.multiply(later[0], earlier[0]), total

        _, states = ops.associative_scan(combine, (factors, terms), axis=1)
        outputs = cell.outputs(states, skipped)
        return _results(layer, outputs, mask, [state[:, -1] for state in states])


class _DeltaRule(_ParallelForm):
    """Products of generalized reflections, in blocks of time steps.

    With the rows r = 1 … L of a block, one for each reflection of each step, and the decay
    `G_r = Π g` up to row r, the updates `u_r = β_r (v_r − k_rᵀ S)` solve a triangular system:

        (I + B ⊙ tril(Γ ⊙ K Kᵀ, −1)) U = B ⊙ (V − G ⊙ K S₀)      Γ_rs = G_r/G_s
        S' = G_L S₀ + (Γ_L ⊙ K)ᵀ U
        O  = G ⊙ Q S₀ + tril(Γ ⊙ Q Kᵀ) U

    The system of all blocks is solved at once, for V and for G ⊙ K; a loop over the blocks then
    consists of matrix products. Source: arXiv:2406.06484, section 3.2; with decay:
    arXiv:2412.06464, section 3.3.
    """

    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        cell = layer.cell
        query, key, value, beta, *decay = cell.precompute_inputs(
            ops.cast(sequences, cell.compute_dtype)
        )
        if mask is not None:
            # A masked step reflects nothing.
            is_unmasked = ops.cast(mask, beta.dtype)[:, :, None, None]
            beta = beta * is_unmasked[:, :, None]
            decay = [part * is_unmasked for part in decay]
        steps, count = sequences.shape[1], cell.num_reflections
        size = min(max(_BLOCK // count, 1), steps)
        blocks = [_blocks(part, size) for part in (query, key, value, beta, *decay)]
        batch = ops.shape(sequences)[0]
        state = ops.reshape(
            initial_state[0], (batch, cell.num_heads, cell.head_size, cell.head_size)
        )
        state, outputs = _solve(state, *blocks, count=count)
        # [blocks, B, heads, size, d] → [B, T, heads, d]
        outputs = ops.transpose(outputs, (1, 0, 3, 2, 4))
        outputs = ops.reshape(outputs, (batch, -1, cell.num_heads, cell.head_size))[:, :steps]
        final = ops.reshape(state, (batch, cell.state_size))
        return _results(layer, cell.normalize(outputs), mask, [final])


def _blocks(x: Tensor, size: int) -> Tensor:
    """Split the time axis into blocks, the last one padded with zeros, which change no state.

    Args:
        x: `[B, T, heads, d]` or, with n reflections per step, `[B, T, n, heads, d]`.
        size: Steps of a block.

    Returns:
        `[blocks, B, heads, size, d]`, or `[blocks, B, heads, size·n, d]`.
    """
    steps = x.shape[1]
    count = -(-steps // size)
    if count * size > steps:
        x = ops.pad(x, [(0, 0), (0, count * size - steps), *[(0, 0)] * (len(x.shape) - 2)])
    rows = size * (x.shape[2] if len(x.shape) == 5 else 1)
    heads, width = x.shape[-2:]
    x = ops.reshape(x, (-1, count, rows, heads, width))
    return ops.transpose(x, (1, 0, 3, 2, 4))


def _solve(
    state: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    beta: Tensor,
    decay: Tensor | None = None,
    *,
    count: int,
) -> tuple[Tensor, Tensor]:
    """Compute the final state and the outputs of all blocks.

    Args:
        state: Initial state, `[B, heads, d, d]`.
        query: q of each step, `[blocks, B, heads, size, d]`.
        key: k of each row, `[blocks, B, heads, L, d]`.
        value: v of each row.
        beta: β of each row, `[blocks, B, heads, L, 1]`.
        decay: log g of each step, `[blocks, B, heads, size, 1]`, or None for 1.
        count: Rows of each step.

    Returns:
        The final state, and `Sᵀ q` of each step, `[blocks, B, heads, size, d]`.
    """
    rows, width = key.shape[-2], key.shape[-1]
    transposed_key = ops.swapaxes(key, -1, -2)
    overlap, attention = ops.matmul(key, transposed_key), ops.matmul(query, transposed_key)
    later = np.arange(rows)[:, None] > np.arange(rows)[None]
    # A step reads the state after all of its rows.
    visible = (np.arange(rows // count)[:, None] + 1) * count > np.arange(rows)[None]
    key_from_start, query_from_start, key_to_end = key, query, key
    total = ops.ones((), key.dtype)
    if decay is not None:
        step_decay = ops.cumsum(decay, axis=-2)
        row_decay = ops.repeat(step_decay, count, axis=-2)
        column_decay = ops.swapaxes(row_decay, -1, -2)
        # Masked before the exponential, which would overflow above the diagonal.
        overlap = overlap * ops.exp(ops.where(later, row_decay - column_decay, 0.0))
        attention = attention * ops.exp(ops.where(visible, step_decay - column_decay, 0.0))
        key_from_start, query_from_start = ops.exp(row_decay) * key, ops.exp(step_decay) * query
        key_to_end = ops.exp(step_decay[..., -1:, :] - row_decay) * key
        total = ops.exp(step_decay[..., -1:, :])
    identity = ops.eye(rows, dtype=key.dtype)
    system = ops.where(later, beta * overlap, identity)
    right = beta * ops.concatenate([value, key_from_start], axis=-1)
    solved = ops.solve_triangular(system, right, lower=True)
    new, from_state = solved[..., :width], solved[..., width:]
    # A block maps the state to `transition · S + added`.
    products = ops.matmul(ops.swapaxes(key_to_end, -1, -2), solved)
    transition = total * ops.eye(width, dtype=key.dtype) - products[..., width:]
    state, before = ops.scan(_advance, state, (transition, products[..., :width]))
    update = new - ops.matmul(from_state, before)
    attention = ops.where(visible, attention, 0.0)
    return state, ops.matmul(query_from_start, before) + ops.matmul(attention, update)


def _advance(state: Tensor, block: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the state after a block, and the one before it."""
    transition, added = block
    return ops.matmul(transition, state) + added, state


linear_recurrence = _LinearRecurrence()
delta_rule = _DeltaRule()
