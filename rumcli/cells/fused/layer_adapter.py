"""Kernels of the compiled loops: conversion between a Keras layer's call and a loop.

A kernel reads the options and weights of a cell by name; it imports no cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import keras
from keras import ops

from rumcli.cells.fused import dispatch, primitives, rum_loop, stack_loop, stack_step
from rumcli.cells.fused.dispatch import LoopResults
from rumcli.cells.fused.kernel_spec import CompiledLoop, KernelSpec, KernelWeights, LoopInputs
from rumcli.cells.fused.stack_step import CellWeights, StackInputs, StackSpec
from rumcli.cells.tensor import Tensor

custom_gradient: ModuleType
if keras.config.backend() == "jax":
    from rumcli.cells.fused import jax_custom_gradient

    custom_gradient = jax_custom_gradient
else:
    from rumcli.cells.fused import tensorflow_custom_gradient

    custom_gradient = tensorflow_custom_gradient

_RUM_LOOP = CompiledLoop(
    rum_loop.forward,
    rum_loop.backward,
    rum_loop.grad_inputs,
    carried=lambda spec: spec.units**2 if spec.associative else 0,
)
_STACK_LOOP = CompiledLoop(
    stack_loop.forward, stack_loop.backward, stack_loop.grad_inputs, carried=lambda spec: 0
)


class CompiledKernel(dispatch.Kernel):
    """Kernel of a cell that can be part of a stack of cells.

    `node` and `weights` return the cell's part of the specification and of the weights of a stack,
    in which the cell has one group of states.
    """

    stacks = True

    def node(self, cell: Any) -> stack_step.CellStep:
        """Return the cell's part of a `StackSpec`."""
        raise NotImplementedError

    def weights(self, cell: Any) -> CellWeights:
        """Return the cell's weights as part of a stack."""
        raise NotImplementedError


class _RUM(CompiledKernel):
    """Kernel of RUM and, with a second state, of ARUM."""

    def __init__(self, stacks: bool) -> None:
        self.stacks = stacks

    def why_not_fusable(self, cell: Any) -> str | None:
        if not primitives.is_known_activation(cell.activation):
            return "its activation is not one of keras.activations"
        return None

    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        return _run_rum(layer, sequences, initial_state, mask, masks)

    def node(self, cell: Any) -> stack_step.CellStep:
        return stack_step.RUMStep(_rum_spec(cell, False, False, False))

    def weights(self, cell: Any) -> CellWeights:
        return _rum_weights(cell)


class _LNLSTM(CompiledKernel):
    def why_not_fusable(self, cell: Any) -> str | None:
        return None

    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        stacked = _Stacked([layer.cell], 1.0, (0,), [(), ()], [masks or ()])
        return _run_stack(layer, stacked, sequences, initial_state, mask)

    def node(self, cell: Any) -> stack_step.CellStep:
        return stack_step.LNLSTMStep(
            custom_gradient.layout(), cell.units, cell.forget_bias, _new_shares(cell)
        )

    def weights(self, cell: Any) -> CellWeights:
        names: tuple[str, ...] = ("kernel", "recurrent_kernel", "bias")
        kernel, recurrent_kernel, bias = (_value(cell, name) for name in names)
        names = ("gate_gain", "gate_offset", "cell_gain", "cell_offset")
        vectors = tuple(_value(cell, name) for name in names)
        return CellWeights(kernel, recurrent_kernel, bias, vectors)


class _FSRNN(dispatch.Kernel):
    def why_not_fusable(self, cell: Any) -> str | None:
        for part in cell.cells:
            kernel = dispatch.kernel_of(part)
            if kernel is None:
                return f"{type(part).__name__} has no fused loop"
            if not getattr(kernel, "stacks", False):
                return f"{type(part).__name__} in a Fast-Slow RNN has no fused loop"
            if reason := kernel.why_not_fusable(part):
                return str(reason)
        return None

    def run(
        self,
        layer: Any,
        sequences: Tensor,
        initial_state: Sequence[Tensor],
        mask: Tensor | None,
        masks: Any,
    ) -> LoopResults:
        cell = layer.cell
        count = len(cell.cells)
        slots = (0, 1, *[0] * (count - 2))
        dropped, drawn = masks or ([()] * (count + 1), [()] * count)
        stacked = _Stacked(cell.cells, 1.0 - cell.dropout, slots, dropped, drawn)
        return _run_stack(layer, stacked, sequences, initial_state, mask)


rum, arum = _RUM(stacks=True), _RUM(stacks=False)
ln_lstm = _LNLSTM()
fs_rnn = _FSRNN()


def _run_rum(
    layer: Any,
    sequences: Tensor,
    initial_state: Sequence[Tensor],
    mask: Tensor | None,
    masks: tuple[Tensor, ...] | None,
) -> LoopResults:
    cell, units = layer.cell, layer.cell.units
    hidden_state, *memory = initial_state
    start = None
    if memory and not layer.memory_is_empty:
        start = ops.reshape(memory[0], (-1, units, units))
    used = bool(memory) and (layer.return_state or layer.stateful)
    spec = _rum_spec(cell, bool(memory), layer.return_sequences, used)
    weights = KernelWeights(*(_value(cell, name) for name in KernelWeights._fields))
    zoneout = _or_none(masks[0]) if masks else None
    sequence = LoopInputs(sequences, hidden_state, start, mask, zoneout)
    results = custom_gradient.run(_RUM_LOOP, spec, weights, sequence)
    outputs = results.pop(0) if layer.return_sequences else None
    last, *product = results
    return outputs, last, [last, *_final_memory(start, product, memory)]


def _rum_spec(cell: Any, associative: bool, return_sequences: bool, used: bool) -> KernelSpec:
    return KernelSpec(
        layout=custom_gradient.layout(),
        units=cell.units,
        activation=cell.activation.__name__,
        time_norm=cell.time_norm,
        layer_norm=cell.layer_norm,
        after_sigmoid=cell.layer_norm_order == "after_sigmoid",
        update_gate=cell.update_gate,
        new_share=1.0 - cell.zoneout,
        associative=associative,
        return_sequences=return_sequences,
        memory_is_used=used,
    )


def _final_memory(start: Tensor | None, product: list[Tensor], memory: list[Tensor]) -> list:
    """Return the final associative memory as the layer's state, or the initial one if unused."""
    if not product:
        return memory
    final = product[0] if start is None else ops.matmul(start, product[0])
    return [ops.reshape(final, ops.shape(memory[0]))]


class _Stacked(NamedTuple):
    """Cells of a stack in the order of execution.

    Attributes:
        cells: Cells.
        keep: Keep probability of dropout.
        slots: Index of each cell's group of states.
        dropped: Dropout masks of each cell's input and of the output; `()` for none.
        drawn: Zoneout masks of each cell; `()` for none.
    """

    cells: Sequence[Any]
    keep: float
    slots: tuple[int, ...]
    dropped: Sequence[Any]
    drawn: Sequence[Any]


def _run_stack(
    layer: Any,
    stacked: _Stacked,
    sequences: Tensor,
    initial_state: Sequence[Tensor],
    mask: Tensor | None,
) -> LoopResults:
    kernels = [dispatch.kernel_of(cell) for cell in stacked.cells]
    pairs = list(zip(kernels, stacked.cells, strict=True))
    # From the third fast cell on, a cell's input is zero.
    has_input = tuple(number < 3 for number in range(len(pairs)))
    nodes = tuple(kernel.node(cell) for kernel, cell in pairs)
    slots = stacked.slots
    spec = StackSpec(
        custom_gradient.layout(), nodes, slots, has_input, stacked.keep, layer.return_sequences
    )
    rest = iter(initial_state)
    states = tuple(
        tuple(next(rest) for _ in nodes[slots.index(slot)].new_shares)
        for slot in range(max(slots) + 1)
    )
    zoneout = [
        masks or [()] * len(node.new_shares)
        for masks, node in zip(stacked.drawn, nodes, strict=True)
    ]
    sequence = StackInputs(
        sequences,
        states,
        mask,
        tuple(tuple(map(_or_none, masks)) for masks in zoneout),
        tuple(map(_or_none, stacked.dropped)),
    )
    weights = tuple(kernel.weights(cell) for kernel, cell in pairs)
    results = custom_gradient.run(_STACK_LOOP, spec, weights, sequence)
    outputs = results.pop(0) if layer.return_sequences else None
    return outputs, results[0], results[1:]


def _or_none(mask: Any) -> Tensor | None:
    return None if isinstance(mask, tuple) else mask


def _new_shares(cell: Any) -> tuple[float, ...]:
    return tuple(1.0 - rate for rate in cell.zoneouts)


def _rum_weights(cell: Any) -> CellWeights:
    weights = KernelWeights(*(_value(cell, name) for name in KernelWeights._fields))
    candidate_bias = weights.candidate_bias
    if candidate_bias is None:
        candidate_bias = ops.zeros((cell.units,), cell.state_dtype)
    kernel = ops.concatenate([weights.gate_kernel[: -cell.units], weights.candidate_kernel], axis=1)
    bias = ops.concatenate([weights.gate_bias, candidate_bias], axis=0)
    vectors = (
        weights.gate_gain,
        weights.gate_offset,
        weights.candidate_gain,
        weights.candidate_offset,
    )
    return CellWeights(
        kernel,
        weights.gate_kernel[-cell.units :],
        bias,
        vectors if cell.layer_norm else (),
    )


def _value(cell: Any, name: str) -> Tensor | None:
    weight = getattr(cell, name, None)
    return None if weight is None else cell.to_state_dtype(weight)
