"""GORU: its step, its initial weights, and that U is computed once per call."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.eunn import EUNN
from rumcli.cells.fs_rnn import FSRNN
from rumcli.cells.goru import GORU, GORUCell
from rumcli.cells.ops.plane_rotations import PairedRotations

from . import orthogonal_reference as reference
from .contract import BATCH, STEPS, UNITS, random_inputs, random_states, to_numpy
from .gradients import float64_is_available

DTYPE = "float64" if float64_is_available() else "float32"


@pytest.mark.parametrize(
    "layout", [{}, {"capacity": 5}, {"pairing": "fft"}], ids=["default", "five layers", "fft"]
)
def test_outputs_are_those_of_numpy_by_the_book(layout):
    tolerance = 1e-12 if DTYPE == "float64" else 1e-5  # six steps of a few roundings each
    layer = GORU(UNITS, return_sequences=True, dtype=DTYPE, **layout)
    inputs = random_inputs(6, DTYPE)
    layer.build(inputs.shape)
    rng = np.random.default_rng(5)
    weights = {}
    for variable in layer.trainable_variables:
        value = to_numpy(variable.value)
        weights[variable.name] = value + 0.2 * rng.standard_normal(value.shape).astype(DTYPE)
        variable.assign(weights[variable.name])
    (state,) = random_states(layer, DTYPE)

    outputs = to_numpy(layer(inputs, initial_state=[ops.convert_to_tensor(state)]))

    matrix = reference.paired_rotations(
        UNITS, layout.get("pairing", "neighbors"), layout.get("capacity"), weights["theta"]
    )
    expected = reference.goru(matrix, weights, inputs, state)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=tolerance)


def test_the_initial_weights_are_the_published_ones():
    keras.utils.set_random_seed(1)
    layer = GORU(50, capacity=3)
    layer.build((None, None, 20))
    weights = {variable.name: to_numpy(variable.value) for variable in layer.trainable_variables}

    assert {name: weight.shape for name, weight in weights.items()} == {
        "kernel": (20, 150),
        "recurrent_kernel": (50, 100),
        "reset_bias": (50,),
        "update_bias": (50,),
        "candidate_bias": (50,),
        "theta": (25 + 24 + 25,),
    }
    for name in ("kernel", "recurrent_kernel"):
        assert 0.009 < np.abs(weights[name]).max() <= 0.01
    blocks = [*np.split(weights["kernel"], 3, axis=1), *np.split(weights["recurrent_kernel"], 2, 1)]
    assert len({block[0, 0] for block in blocks}) == 5  # drawn one by one
    assert np.all(weights["reset_bias"] == 2.0)
    assert np.all(weights["candidate_bias"] == 2.0)
    assert 0.2 < np.abs(weights["update_bias"]).max() <= np.sqrt(3 / 50)
    assert 2.5 < np.abs(weights["theta"]).max() <= np.pi


def test_other_initial_weights_can_be_asked_for():
    layer = GORU(
        10,
        kernel_initializer="orthogonal",
        recurrent_initializer="orthogonal",
        bias_initializer="ones",
    )
    layer.build((None, None, 20))

    cell = layer.cell
    blocks = np.split(to_numpy(cell.kernel.value), 3, axis=1)
    blocks += np.split(to_numpy(cell.recurrent_kernel.value), 2, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(10), atol=1e-6)  # float32 rounding
    for bias in (cell.reset_bias, cell.update_bias, cell.candidate_bias):
        assert np.all(to_numpy(bias.value) == 1.0)


@pytest.mark.parametrize("pairing", ["neighbors", "fft"])
def test_a_single_unit_works(pairing):
    assert GORU(1, pairing=pairing)(random_inputs()).shape == (BATCH, 1)


@pytest.mark.parametrize(
    ("make", "cells"),
    [
        (lambda: GORU(UNITS, unroll=True), 1),
        (lambda: EUNN(UNITS, unroll=True), 1),
        (lambda: FSRNN([GORUCell(UNITS), GORUCell(UNITS)], GORUCell(3), unroll=True), 3),
    ],
    ids=["GORU", "EUNN", "FSRNN"],
)
def test_the_sines_and_cosines_of_a_cell_are_computed_once_for_all_steps(monkeypatch, make, cells):
    made = []
    layer = make()
    original = PairedRotations.orthogonal

    def counting(rotations, theta):
        made.append(rotations)
        return original(rotations, theta)

    monkeypatch.setattr(PairedRotations, "orthogonal", counting)
    layer(random_inputs(STEPS))

    assert len(made) == cells


def test_wrong_arguments_are_told():
    with pytest.raises(ValueError, match="capacity must be a positive integer or None, got -1"):
        GORU(4, capacity=-1)
    with pytest.raises(ValueError, match="implementation='fused' is not available: "):
        GORU(4, implementation="fused")
