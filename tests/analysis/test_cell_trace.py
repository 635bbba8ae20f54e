"""What a cell is seen to do is what NumPy by the book says that it does."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from rumcli.analysis.cell_trace import angle_between, rotation_angles, trace
from rumcli.cells import make
from rumcli.cells.arum import ARUM
from tests.cells import reference
from tests.cells.contract import UNITS, random_inputs, random_states, to_numpy
from tests.cells.test_rum import all_options, both_layers, randomized

STEPS = 6


def by_the_book(weights, inputs, hidden, options):
    """Return the angle and update gate of each step, from outputs that are known."""
    angles, updates = [], []
    for x, h in zip(inputs, hidden, strict=True):
        gates = np.concatenate([x, h]) @ weights["gate_kernel"] + weights["gate_bias"]
        target, update = gates[:UNITS], gates[UNITS:]
        after_sigmoid = options.get("layer_norm_order") == "after_sigmoid"
        if not options.get("layer_norm") or after_sigmoid:
            update = 1 / (1 + np.exp(-update))
        if options.get("layer_norm"):
            gain, offset = weights["gate_gain"], weights["gate_offset"]
            target = reference._normalize(target, gain[:UNITS], offset[:UNITS])
            if update.size:
                update = reference._normalize(update, gain[UNITS:], offset[UNITS:])
            if not after_sigmoid:
                update = 1 / (1 + np.exp(-update))
        embedded = x @ weights["candidate_kernel"]
        cosine = embedded @ target / np.linalg.norm(embedded) / np.linalg.norm(target)
        angles.append(np.degrees(np.arccos(cosine)))
        updates.append(update)
    return np.array(angles), np.stack(updates)


@both_layers
@all_options
def test_angles_gates_and_norms_are_those_of_numpy_by_the_book(layer_class, options):
    layer = layer_class(UNITS, return_sequences=True, dtype="float32", **options)
    inputs = random_inputs(STEPS, batch=1)
    weights = randomized(layer, inputs)

    (seen,) = trace(layer.cell, inputs[0])

    outputs, _ = reference.run(layer_class.__name__, weights, inputs, **options)
    before = np.concatenate([np.zeros((1, UNITS)), outputs[0, :-1]])
    angles, updates = by_the_book(weights, inputs[0], before, options)
    # Six float32 steps; degrees are larger than radians.
    np.testing.assert_allclose(seen.norms, np.linalg.norm(outputs[0], axis=1), atol=1e-4)
    np.testing.assert_allclose(seen.angles, angles, atol=1e-2)
    if options.get("update_gate", True):
        np.testing.assert_allclose(seen.update_gates, updates, atol=1e-4)
    else:
        assert seen.update_gates is None


def test_the_spectrum_is_that_of_the_associative_memory():
    layer = ARUM(UNITS, return_state=True, dtype="float32")
    inputs = random_inputs(STEPS, batch=1)
    weights = randomized(layer, inputs)

    (seen,) = trace(layer.cell, inputs[0])

    _, final = reference.run("ARUM", weights, inputs)
    eigenvalues = np.linalg.eigvals(final[1].reshape(UNITS, UNITS))
    expected = np.sort(np.abs(np.degrees(np.angle(eigenvalues))))
    assert seen.spectrum.shape == (STEPS, UNITS)
    # The arc cosine near 1 makes 0.1 degrees of what float32 leaves of orthogonality.
    np.testing.assert_allclose(seen.spectrum[-1], expected, atol=0.2)
    # One rotation turns one plane.
    np.testing.assert_allclose(seen.spectrum[0, :-2], 0, atol=0.2)
    np.testing.assert_allclose(seen.spectrum[0, -2:], seen.angles[0], atol=0.2)


def test_a_trace_goes_on_from_states_that_are_given():
    layer = ARUM(UNITS, return_sequences=True, dtype="float32")
    inputs = random_inputs(STEPS, batch=1)
    randomized(layer, inputs)
    states = random_states(layer, batch=1)

    (seen,) = trace(layer.cell, inputs[0], states)

    outputs = to_numpy(layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states]))
    np.testing.assert_allclose(seen.norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", ["lnlstm", "eunn", "goru", "lstm", "gru", "rnn", "fsrnn"])
def test_of_a_cell_that_does_not_rotate_there_is_the_norm(name):
    layer = make(name, UNITS + 1, return_sequences=True, **_slow_lstm(name))
    inputs = random_inputs(STEPS, batch=1)
    outputs = to_numpy(layer(inputs))

    (seen,) = trace(layer.cell, inputs[0])

    np.testing.assert_allclose(seen.norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)
    assert seen.angles is None
    assert seen.update_gates is None
    assert seen.spectrum is None


def _slow_lstm(name):
    return {"slow": {"name": "lstm", "units": 3}} if name == "fsrnn" else {}


def test_the_rum_within_a_fast_slow_rnn_is_seen_too():
    keras.utils.set_random_seed(3)
    cell = make("fsrnn", UNITS, fast={"name": "rum"}, slow={"name": "arum", "units": 3}).cell
    inputs = random_inputs(STEPS, batch=1)
    layer = keras.layers.RNN(cell, return_sequences=True)
    outputs = to_numpy(layer(inputs))

    seen = trace(cell, inputs[0])

    assert [one.part for one in seen] == ["", "fast 1", "slow", "fast 2"]
    np.testing.assert_allclose(seen[0].norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)
    np.testing.assert_allclose(seen[3].norms, seen[0].norms)
    assert [one.angles is None for one in seen] == [True, False, False, False]
    assert seen[2].spectrum.shape == (STEPS, 3)
    assert seen[1].spectrum is None


def test_of_a_long_sequence_there_are_two_hundred_spectra():
    layer = ARUM(3)
    layer.build((1, None, 3))

    (seen,) = trace(layer.cell, random_inputs(250, batch=1)[0])

    assert len(seen.angles) == 250
    assert seen.spectrum.shape == (200, 3)
    assert (seen.spectrum_steps[0], seen.spectrum_steps[-1]) == (0, 249)
    assert (np.diff(seen.spectrum_steps) > 0).all()


@given(st.floats(0, 180), st.integers(0, 2**31))
def test_angles_are_exact_also_near_0_and_180(degrees, seed):
    rng = np.random.default_rng(seed)
    plane, _ = np.linalg.qr(rng.standard_normal((6, 2)))
    turned = np.cos(np.radians(degrees)) * plane[:, 0] + np.sin(np.radians(degrees)) * plane[:, 1]
    assert angle_between(plane[:, 0], turned) == pytest.approx(degrees, abs=1e-12, rel=1e-12)
    assert angle_between(plane[:, 0], np.zeros(6)) == 0


@given(st.lists(st.floats(0, 180), min_size=1, max_size=4), st.booleans(), st.integers(0, 2**31))
def test_the_angles_of_a_rotation_are_found_in_any_basis(degrees, is_odd, seed):
    blocks = np.eye(2 * len(degrees) + is_odd)
    for place, angle in enumerate(np.radians(degrees)):
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        blocks[2 * place : 2 * place + 2, 2 * place : 2 * place + 2] = turn
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal(blocks.shape))
    expected = sorted([*degrees, *degrees, *[0.0] * is_odd])
    # The arc cosine near 1 has half of the digits.
    np.testing.assert_allclose(rotation_angles(basis @ blocks @ basis.T), expected, atol=1e-5)
