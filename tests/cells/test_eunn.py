"""EUNN: its step, real and complex, its initial weights, and what it keeps of a state."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.eunn import EUNN

from . import orthogonal_reference as reference
from .contract import (
    BATCH,
    FEATURES,
    UNITS,
    random_inputs,
    random_states,
    randomized,
    to_numpy,
)
from .gradients import FLOAT_DTYPES, compiled, float64_is_available

LAYOUTS = pytest.mark.parametrize(
    "layout", [{}, {"capacity": 5}, {"pairing": "fft"}], ids=["default", "five layers", "fft"]
)
both_kinds = pytest.mark.parametrize("complex_valued", [False, True], ids=["real", "complex"])


def outputs_and_states(layer, inputs, initial):
    """Return what a layer with `return_state` returns; compiled, as there are many steps."""
    run = compiled(lambda *states: layer(inputs, initial_state=list(states)))
    return run(*(ops.convert_to_tensor(state) for state in initial))


DTYPE = "float64" if float64_is_available() else "float32"


@both_kinds
@LAYOUTS
def test_outputs_and_states_are_those_of_numpy_by_the_book(layout, complex_valued):
    tolerance = 1e-12 if DTYPE == "float64" else 1e-5  # six steps of a few roundings each
    layer = EUNN(
        UNITS,
        complex_valued=complex_valued,
        return_sequences=True,
        return_state=True,
        dtype=DTYPE,
        **layout,
    )
    inputs = random_inputs(6, DTYPE)
    weights = randomized(layer, inputs)
    states = random_states(layer, DTYPE)

    outputs, *final = to_numpy(
        layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states])
    )

    phases = {name: weights[name] for name in ("phi", "omega") if name in weights}
    matrix = reference.paired_rotations(
        UNITS,
        layout.get("pairing", "neighbors"),
        layout.get("capacity"),
        weights["theta"],
        **phases,
    )
    initial = states[0] + 1j * states[1] if complex_valued else states[0]
    expected = reference.eunn(matrix, weights, inputs, initial)
    np.testing.assert_allclose(outputs, expected.real, rtol=0, atol=tolerance)
    last = expected[:, -1]
    for found, wanted in zip(final, [last.real, last.imag], strict=False):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)
    assert len(final) == 1 + complex_valued


@both_kinds
@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_without_inputs_a_state_keeps_its_norm(dtype, complex_valued):
    layer = EUNN(16, capacity=4, complex_valued=complex_valued, return_state=True, dtype=dtype)
    inputs = np.zeros((BATCH, 100, FEATURES), dtype)
    layer.build(inputs.shape)
    if not complex_valued:  # real modReLU adds 1e-5 to each magnitude
        layer.cell.bias.assign(np.full(16, -reference.EPSILON, dtype))
    initial = random_states(layer, dtype)

    _, *final = outputs_and_states(layer, inputs, initial)

    before, after = (
        np.linalg.norm(np.concatenate(states, axis=1).astype("float64"), axis=1)
        for states in (initial, to_numpy(final))
    )
    # A few roundings a step, all in one direction at worst.
    np.testing.assert_allclose(after, before, rtol=10 * 100 * float(np.finfo(dtype).eps))


@both_kinds
def test_the_initial_weights_are_the_published_ones(complex_valued):
    keras.utils.set_random_seed(1)
    layer = EUNN(50, complex_valued=complex_valued)
    layer.build((None, None, 20))
    weights = {variable.name: to_numpy(variable.value) for variable in layer.trainable_variables}

    sizes = {name: weight.shape for name, weight in weights.items()}
    expected = {"kernel": (20, 50), "bias": (50,), "theta": (49,)}
    if complex_valued:
        expected |= {"kernel": (20, 100), "phi": (49,), "omega": (50,)}
    assert sizes == expected
    assert 0.009 < np.abs(weights["kernel"]).max() <= 0.01
    assert np.all(weights["bias"] == 0.0)
    for name in set(weights) & {"theta", "phi", "omega"}:
        assert 2.5 < np.abs(weights[name]).max() <= np.pi
        assert weights[name].min() < 0.0 < weights[name].max()
    if complex_valued:  # the parts are drawn one by one
        assert np.all(weights["kernel"][:, :50] != weights["kernel"][:, 50:])
        assert np.all(weights["theta"] != weights["phi"])


def test_other_initial_weights_can_be_asked_for():
    layer = EUNN(10, kernel_initializer="orthogonal", bias_initializer="ones", complex_valued=True)
    layer.build((None, None, 20))

    for part in np.split(to_numpy(layer.cell.kernel.value), 2, axis=1):
        np.testing.assert_allclose(part.T @ part, np.eye(10), atol=1e-6)  # float32 rounding
    assert np.all(to_numpy(layer.cell.bias.value) == 1.0)


@both_kinds
@pytest.mark.parametrize("pairing", ["neighbors", "fft"])
def test_a_single_unit_works(pairing, complex_valued):
    layer = EUNN(1, pairing=pairing, complex_valued=complex_valued, return_sequences=True)

    assert layer(random_inputs()).shape == (BATCH, 4, 1)
    assert "theta" not in [variable.name for variable in layer.trainable_variables]


@both_kinds
def test_angles_are_not_rounded_in_mixed_precision(complex_valued):
    options = {"complex_valued": complex_valued, "return_state": True}
    exact = EUNN(16, **options)
    inputs = np.zeros((BATCH, 100, FEATURES), "float32")
    exact.build(inputs.shape)
    layer = EUNN(16, dtype="mixed_bfloat16", **options)
    layer.build(inputs.shape)
    for mine, theirs in zip(layer.trainable_variables, exact.trainable_variables, strict=True):
        mine.assign(theirs.value)
    # Of few digits, so that they are the same in both.
    initial = [np.round(4 * state) / 4 for state in random_states(exact)]

    found, expected = (outputs_and_states(one, inputs, initial) for one in (layer, exact))

    for part, wanted in zip(found, expected, strict=True):
        part = to_numpy(ops.cast(part, "float32"))
        # Rounded once, at the end, to eight bits. Rounded angles are wrong by 1 after 100 steps.
        np.testing.assert_allclose(part, to_numpy(wanted), rtol=0, atol=0.02)


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="capacity must be a positive integer or None, got 0"):
        EUNN(4, capacity=0)
    with pytest.raises(ValueError, match="pairing must be 'neighbors' or 'fft', got 'near'"):
        EUNN(4, pairing="near")
    with pytest.raises(ValueError, match="the last dimension of the inputs must be known"):
        EUNN(4).build((None, 3, None))
