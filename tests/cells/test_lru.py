"""The Linear Recurrent Unit against its formulas in NumPy, and its initial eigenvalues."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.lru import LRU

from .contract import FEATURES, random_inputs, random_states, to_numpy
from .gradients import needs_float64


def eigenvalues(cell):
    nu = to_numpy(cell.nu.value)
    if not cell.is_complex:
        return np.tanh(nu)
    return np.exp(-np.exp(nu) + 1j * np.exp(to_numpy(cell.theta.value)))


def complex_columns(kernel, cell):
    if not cell.is_complex:
        return kernel
    real, imaginary = np.split(kernel, 2, axis=-1)
    return real + 1j * imaginary


def by_the_book(cell, inputs, states):
    """Return all outputs `[B, T, H]` and the final state `[B, H]`, complex or real."""
    weights = {variable.name: to_numpy(variable.value) for variable in cell.trainable_variables}
    of_input, of_state = (
        complex_columns(weights[name], cell) for name in ("input_kernel", "output_kernel")
    )
    state = states[0] + 1j * states[1] if cell.is_complex else states[0]
    outputs = []
    for x in np.swapaxes(inputs, 0, 1):
        state = eigenvalues(cell) * state + np.exp(weights["gamma"]) * (x @ of_input)
        outputs.append(np.tanh((state @ of_state).real + x @ weights["skip_kernel"]))
    return np.stack(outputs, axis=1), state


@needs_float64
@pytest.mark.parametrize("kind", ["complex", "real"])
def test_it_computes_its_formulas(kind):
    layer = LRU(
        4,
        eigenvalues=kind,
        activation="tanh",
        return_sequences=True,
        return_state=True,
        dtype="float64",
    )
    inputs = random_inputs(7, "float64")
    states = random_states(layer, "float64")

    outputs, *final = to_numpy(layer(inputs, initial_state=[*map(ops.convert_to_tensor, states)]))

    expected, state = by_the_book(layer.cell, inputs, states)
    # A few roundings in each of seven steps.
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
    parts = [state.real, state.imag] if kind == "complex" else [state]
    np.testing.assert_allclose(final, parts, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["complex", "real"])
def test_the_initial_eigenvalues_lie_in_the_ring_and_the_state_is_normalized(kind):
    keras.utils.set_random_seed(1)
    layer = LRU(500, eigenvalues=kind, min_radius=0.5, max_radius=0.9, max_phase=1.0)
    layer.build((None, None, FEATURES))

    found = eigenvalues(layer.cell)

    squared = np.abs(found) ** 2
    assert 0.249 < squared.min() < 0.27
    assert 0.79 < squared.max() < 0.811
    # Uniform: the deviation of the mean of 500 draws is 0.007.
    assert squared.mean() == pytest.approx(0.53, abs=0.03)
    gamma = to_numpy(layer.cell.gamma.value)
    np.testing.assert_allclose(np.exp(gamma), np.sqrt(1 - squared), rtol=1e-4)
    if kind == "real":
        assert 0.4 < np.mean(found < 0) < 0.6
    else:
        assert 0 < np.angle(found).min() < 0.02 < 0.98 < np.angle(found).max() < 1.0


def test_the_default_eigenvalues_are_finite_and_stable():
    layer = LRU(2000)
    layer.build((None, None, FEATURES))
    assert np.all(np.abs(eigenvalues(layer.cell)) < 1.0)
    assert all(np.all(np.isfinite(to_numpy(v.value))) for v in layer.trainable_variables)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eigenvalues": "reel"}, "eigenvalues must be 'complex' or 'real', got 'reel'"),
        ({"min_radius": 1.0}, r"min_radius must be in \[0, 1\), got 1.0"),
        ({"min_radius": 0.5, "max_radius": 0.5}, r"max_radius must be in \(0.5, 1\].*, got 0.5"),
        ({"max_phase": 0}, "max_phase must be positive, got 0"),
    ],
)
def test_wrong_arguments_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        LRU(3, **options)
