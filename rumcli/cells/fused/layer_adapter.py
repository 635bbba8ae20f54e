"""Conversion between a Keras layer's call and a compiled loop.

The exact class of the cell selects the loop: a subclass may compute something else.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from types import ModuleType
from typing import Any

import keras
from keras import ops

from rumcli.cells.arum import ARUMCell
from rumcli.cells.fs_rnn import FSRNNCell
from rumcli.cells.fused import primitives, rum_loop, stack_loop, stack_step
from rumcli.cells.fused.kernel_spec import CompiledLoop, KernelSpec, KernelWeights, LoopInputs
from rumcli.cells.fused.stack_step import CellWeights, StackInputs, StackSpec
from rumcli.cells.ln_lstm import LNLSTMCell
from rumcli.cells.rum import RUMCell
from rumcli.cells.tensor import Tensor

custom_gradient: ModuleType
if keras.config.backend() == "jax":
    from rumcli.cells.fused import jax_custom_gradient

    custom_gradient = jax_custom_gradient
else:
    from rumcli.cells.fused import tensorflow_custom_gradient

    custom_gradient = tensorflow_custom_gradient

LoopResults = tuple[Tensor | None, Tensor, list[Tensor]]

_RUM = CompiledLoop(
    rum_loop.forward,
    rum_loop.backward,
    rum_loop.of_inputs,
    carried=lambda recipe: recipe.units**2 if recipe.associative else 0,
)
_CHAIN = CompiledLoop(
    stack_loop.forward, stack_loop.backward, stack_loop.of_inputs, carried=lambda recipe: 0
)


def why_not_fusable(cell: Any) -> str | None:
    """Return the reason why a cell has no fused loop; None if it has one."""
    if type(cell) is FSRNNCell:
        if (found := [why_not_fusable(part) for part in cell.cells]) and any(found):
            return next(filter(None, found))
        if any(type(part) is ARUMCell for part in cell.cells):
            return "an ARUMCell in a Fast-Slow RNN has no fused loop"
    elif type(cell) not in (RUMCell, ARUMCell, LNLSTMCell):
        return f"there is none for {type(cell).__name__}"
    elif isinstance(cell, RUMCell) and not primitives.is_known_activation(cell.activation):
        return "its activation is not one of keras.activations"
    return None


def run(
    layer: Any,
    sequences: Tensor,
    initial_state: Many[Tensor],
    mask: Tensor | None,
    draws: tuple[Tensor, ...] | None,
) -> LoopResults:
    """Run the fused loop of a layer.

    Args:
        layer: Layer for whose cell `why_not_fusable` returns None.
        sequences: Inputs `[B, T, D]`.
        initial_state: Initial states, as in `keras.layers.RNN`.
        mask: Boolean mask `[B, T]`, or None.
        draws: Masks from `cell.draw` for all steps; None in inference.

    Returns:
        Outputs `[B, T, H]`, or None without `return_sequences`; the last output `[B, H]`; and the
        final states.
    """
    if isinstance(layer.cell, RUMCell):
        return _run_rum(layer, sequences, initial_state, mask, draws)
    return _run_chain(layer, sequences, initial_state, mask, draws)


def _run_rum(
    layer: Any,
    sequences: Tensor,
    initial_state: Many[Tensor],
    mask: Tensor | None,
    draws: tuple[Tensor, ...] | None,
) -> LoopResults:
    cell, units = layer.cell, layer.cell.units
    hidden_state, *memory = initial_state
    start = None
    if memory and not layer.memory_is_empty:
        start = ops.reshape(memory[0], (-1, units, units))
    used = bool(memory) and (layer.return_state or layer.stateful)
    recipe = _rum_recipe(cell, bool(memory), layer.return_sequences, used)
    weights = KernelWeights(*(_value(cell, name) for name in KernelWeights._fields))
    zoneout = _or_none(draws[0]) if draws else None
    sequence = LoopInputs(sequences, hidden_state, start, mask, zoneout)
    results = custom_gradient.run(_RUM, recipe, weights, sequence)
    outputs = results.pop(0) if layer.return_sequences else None
    last, *product = results
    return outputs, last, [last, *_final_memory(start, product, memory)]


def _rum_recipe(cell: RUMCell, associative: bool, return_sequences: bool, used: bool) -> KernelSpec:
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


def _run_chain(
    layer: Any,
    sequences: Tensor,
    initial_state: Many[Tensor],
    mask: Tensor | None,
    draws: Any,
) -> LoopResults:
    cell = layer.cell
    if isinstance(cell, FSRNNCell):
        cells, keep = cell.cells, 1.0 - cell.dropout
        slots = (0, 1, *[0] * (len(cells) - 2))
        dropped, drawn = draws or ([()] * (len(cells) + 1), [()] * len(cells))
    else:
        cells, keep, slots = [cell], 1.0, (0,)
        dropped, drawn = [(), ()], [draws or ()]
    # From the third fast cell on, a cell's input is zero.
    has_input = tuple(number < 3 for number in range(len(cells)))
    nodes_ = tuple(map(_node, cells))
    recipe = StackSpec(
        custom_gradient.layout(), nodes_, slots, has_input, keep, layer.return_sequences
    )
    rest = iter(initial_state)
    states = tuple(
        tuple(next(rest) for _ in recipe.nodes[slots.index(slot)].new_shares)
        for slot in range(max(slots) + 1)
    )
    zoneout = [
        own or [()] * len(node.new_shares) for own, node in zip(drawn, recipe.nodes, strict=True)
    ]
    sequence = StackInputs(
        sequences,
        states,
        mask,
        tuple(tuple(map(_or_none, own)) for own in zoneout),
        tuple(map(_or_none, dropped)),
    )
    weights = tuple(map(_node_weights, cells))
    results = custom_gradient.run(_CHAIN, recipe, weights, sequence)
    outputs = results.pop(0) if layer.return_sequences else None
    return outputs, results[0], results[1:]


def _or_none(draws: Any) -> Tensor | None:
    return None if isinstance(draws, tuple) else draws


def _node(cell: Any) -> stack_step.CellStep:
    shares = tuple(1.0 - rate for rate in cell.zoneouts)
    if isinstance(cell, LNLSTMCell):
        return stack_step.LNLSTMStep(custom_gradient.layout(), cell.units, cell.forget_bias, shares)
    return stack_step.RUMStep(_rum_recipe(cell, False, False, False))


def _node_weights(cell: Any) -> CellWeights:
    if isinstance(cell, LNLSTMCell):
        names: tuple[str, ...] = ("kernel", "recurrent_kernel", "bias")
        kernel, recurrent_kernel, bias = (_value(cell, name) for name in names)
        names = ("gate_gain", "gate_offset", "cell_gain", "cell_offset")
        vectors = tuple(_value(cell, name) for name in names)
        return CellWeights(kernel, recurrent_kernel, bias, vectors)
    own = KernelWeights(*(_value(cell, name) for name in KernelWeights._fields))
    candidate_bias = own.candidate_bias
    if candidate_bias is None:
        candidate_bias = ops.zeros((cell.units,), cell.state_dtype)
    kernel = ops.concatenate([own.gate_kernel[: -cell.units], own.candidate_kernel], axis=1)
    bias = ops.concatenate([own.gate_bias, candidate_bias], axis=0)
    vectors = (own.gate_gain, own.gate_offset, own.candidate_gain, own.candidate_offset)
    return CellWeights(
        kernel,
        own.gate_kernel[-cell.units :],
        bias,
        vectors if cell.layer_norm else (),
    )


def _value(cell: Any, name: str) -> Tensor | None:
    weight = getattr(cell, name, None)
    return None if weight is None else cell.to_state_dtype(weight)
