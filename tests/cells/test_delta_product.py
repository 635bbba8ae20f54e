"""DeltaProduct against its formulas in NumPy, and its reflections."""

import numpy as np
import pytest
from keras import ops

from rumcli.cells.delta_product import DeltaProduct, DeltaProductCell

from .contract import FEATURES, random_inputs, random_states, to_numpy
from .gradients import needs_float64


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def unit_silu(x):
    x = x * sigmoid(x)
    return x / np.linalg.norm(x)


def by_the_book(cell, inputs, state):
    """Return all outputs `[B, T, H]` and the final states, one sample and head at a time."""
    weights = {variable.name: to_numpy(variable.value) for variable in cell.trainable_variables}
    size, heads, count = cell.head_size, cell.num_heads, cell.num_reflections
    outputs = np.zeros((*inputs.shape[:2], cell.units))
    states = state.reshape(-1, heads, size, size).copy()
    for sample, step, head in np.ndindex(*inputs.shape[:2], heads):
        x, S = inputs[sample, step], states[sample, head]
        part = slice(head * size, (head + 1) * size)
        if cell.gated:
            rate = np.exp(weights["gate_rate"][head])
            turn = (x @ weights["gate_kernel"] + weights["gate_bias"])[head]
            S = np.exp(-rate * np.log1p(np.exp(turn))) * S
        for number in range(count):
            k, v = (
                np.split(x @ weights[f"{name}_kernel"], count)[number][part]
                for name in ("key", "value")
            )
            k = unit_silu(k)
            beta = sigmoid(np.split(x @ weights["beta_kernel"], count)[number][head])
            beta *= 2 if cell.negative_eigenvalues else 1
            S = (np.eye(size) - beta * np.outer(k, k)) @ S + beta * np.outer(k, v)
        y = S.T @ unit_silu((x @ weights["query_kernel"])[part])
        if cell.output_norm:
            y = y / np.sqrt(np.mean(y**2) + 1e-5) * weights["output_gain"][part]
        states[sample, head], outputs[sample, step, part] = S, y
    return outputs, states.reshape(state.shape)


@needs_float64
@pytest.mark.parametrize(
    "options",
    [
        {"num_reflections": 1, "negative_eigenvalues": False, "output_norm": False},
        {"num_heads": 2, "num_reflections": 3, "gated": True},
    ],
    ids=["DeltaNet", "gated, three reflections"],
)
def test_it_computes_its_formulas(options):
    layer = DeltaProduct(
        4,
        return_sequences=True,
        return_state=True,
        dtype="float64",
        **options,
    )
    inputs = random_inputs(7, "float64")
    (state,) = random_states(layer, "float64")

    outputs, final = to_numpy(layer(inputs, initial_state=[ops.convert_to_tensor(state)]))

    expected, expected_final = by_the_book(layer.cell, inputs, state)
    # Two orders of the same sums in float64; the norm of the output enlarges a small one.
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(final, expected_final, rtol=0, atol=1e-11)


def test_two_reflections_rotate_the_state():
    """Without values, β = 2 turns each column of the state and keeps its length."""
    layer = DeltaProduct(3, num_reflections=2, num_heads=1, return_state=True)
    layer.build((None, None, FEATURES))
    layer.cell.value_kernel.assign(np.zeros((FEATURES, 6)))
    layer.cell.beta_kernel.assign(np.full((FEATURES, 2), 50.0))
    state = random_states(layer)[0]

    _, final = to_numpy(layer(np.abs(random_inputs(4)), initial_state=[state]))

    before, after = (x.reshape(-1, 3, 3) for x in (state, final))
    np.testing.assert_allclose(
        np.swapaxes(after, 1, 2) @ after, np.swapaxes(before, 1, 2) @ before, atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.det(after), np.linalg.det(before), atol=1e-5)
    assert np.abs(after - before).max() > 0.1


@pytest.mark.parametrize(("units", "heads"), [(128, 8), (100, 5), (5, 1), (31, 1), (34, 2)])
def test_the_default_heads_divide_the_units(units, heads):
    assert DeltaProductCell(units).num_heads == heads


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 3}, "num_heads must divide units=4, got 3"),
        ({"num_reflections": 0}, "num_reflections must be a positive integer, got 0"),
        ({"gated": 1}, "gated must be True or False, got 1"),
    ],
)
def test_wrong_arguments_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        DeltaProduct(4, **options)
