"""Traces of layers match their outputs in the model.

What a cell is seen to do is what NumPy by the book says that it does.
"""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from rumcli.analysis.introspection import angle_between, rotation_angles, trace_cell, trace_example
from rumcli.cells import make
from rumcli.cells.arum import ARUM
from rumcli.config import Split
from rumcli.errors import ConfigError
from tests import small
from tests.cells import reference
from tests.cells.contract import UNITS, random_inputs, random_states, to_numpy
from tests.cells.test_rum import all_options, both_layers, randomized

LAYERS = ["model.layers=2"]
PUBLISHED = [*LAYERS, "cell.layer_norm=true", "cell.layer_norm_order=after_sigmoid"]

STEPS = 6


def make_model(task, cell, tmp_path, settings=(), **flags):
    keras.utils.set_random_seed(5)
    if task == "ptb":
        flags["task__data"] = str(small.write_text(tmp_path / "text"))
    found = small.task(small.run_config(task, cell, settings=settings, **flags))
    return found, found.model()


def outputs(model, names, inputs):
    """Return the outputs of layers, as the model computes them."""
    parts = [model.get_layer(name).output for name in names]
    found = keras.Model(model.inputs, parts).predict_on_batch(inputs)
    return found if isinstance(found, list) else [found]


def layer_norms(seen):
    return [layer.traces[0].norms for layer in seen.layers]


def test_stacked_layers_of_one_hot_symbols(tmp_path):
    task, model = make_model("copying", "arum", tmp_path, LAYERS)
    seen = trace_example(task, model, Split.TEST, 9)
    # Batches of 4 or 5: some later one has it.
    inputs, _ = task.examples(Split.TEST, 9, 1)
    for found, expected in zip(
        layer_norms(seen), outputs(model, ["cell", "cell_2"], inputs), strict=True
    ):
        np.testing.assert_allclose(found, np.linalg.norm(expected[0], axis=1), rtol=1e-4)
    assert seen.steps == [{0: "·", 9: "→"}.get(symbol, str(symbol)) for symbol in inputs[0]]
    assert seen.layers[1].traces[0].spectrum.shape == (24, 8)


def test_window_continues_the_state_of_the_previous_one(tmp_path):
    task, model = make_model("ptb", "rum", tmp_path, PUBLISHED)
    # Given the outputs of the model over three windows of three streams,
    names = ["cell", "cell_2"]
    feed = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    for number in range(3):
        inputs, _, _ = task.evaluation_batch(Split.VALIDATION, number)
        expected = feed.predict_on_batch(inputs)
    # when the second stream of the last one is traced,
    seen = trace_example(task, model, Split.VALIDATION, 2 * 3 + 1)
    # then the traced norms are equal.
    for found, output in zip(layer_norms(seen), expected, strict=True):
        np.testing.assert_allclose(found, np.linalg.norm(output[1], axis=1), rtol=1e-4)
    classes = task.text.vocabulary.decode(inputs["symbols"][1]).decode()
    assert "".join(seen.steps) == classes
    assert seen.layers[0].traces[0].update_gates.shape == (6, 8)


@pytest.mark.e2e
def test_backward_layer_is_marked_and_padding_is_removed(tmp_path):
    task, model = make_model("babi", "rum", tmp_path, LAYERS)
    number = int(np.argmax([len(one.statements) for one in task.stories.questions["validation"]]))
    seen = trace_example(task, model, Split.VALIDATION, number)
    asked = task.stories.questions["validation"][number]
    assert seen.steps == [" ".join(sentence) for sentence in asked.statements]
    assert [layer.backwards for layer in seen.layers] == [False, True]
    inputs = {
        name: array[number : number + 1] for name, array in task._inputs["validation"].items()
    }
    expected = [
        np.linalg.norm(output[0], axis=1)[-len(seen.steps) :]
        for output in outputs(model, ["cell", "cell_2"], inputs)
    ]
    np.testing.assert_allclose(layer_norms(seen)[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(layer_norms(seen)[1], expected[1][::-1], rtol=1e-4)


def test_word_steps_are_labeled(tmp_path):
    task, model = make_model("babi", "gru", tmp_path, ["task.input_level=words"])
    seen = trace_example(task, model, Split.TEST, 0)
    asked = task.stories.questions["test"][0]
    assert seen.steps == [word for one in [*asked.statements, asked.question] for word in one]
    assert len(layer_norms(seen)[0]) == len(seen.steps)


def test_keys_and_values_of_recall_have_different_labels(tmp_path):
    task, model = make_model("recall", "gru", tmp_path)
    seen = trace_example(task, model, Split.TEST, 0)
    assert sorted(seen.steps[:4:2]) == ["k1", "k2"]
    assert all(value.isdigit() for value in seen.steps[1:4:2])
    assert seen.steps[4:6] == ["·", "·"]
    assert seen.steps[6] in ("k1", "k2")


@pytest.mark.parametrize(
    ("task", "example", "expected"),
    [
        ("copying", 20, "there is no example 20 in the test split; the last one is 19"),
        ("ptb", 90, "example 90 is past the end of the test text"),
    ],
)
def test_missing_example_is_reported(tmp_path, task, example, expected):
    # Of 156 characters, 100 streams have two each, or none.
    settings = ["task.eval_batch_size=100"] if task == "ptb" else []
    task, model = make_model(task, "gru", tmp_path, settings)
    with pytest.raises(ConfigError, match=expected):
        trace_example(task, model, Split.TEST, example)


def numpy_reference(weights, inputs, hidden, options):
    """Return the angle and update gate of each step, from given outputs."""
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
def test_angles_gates_and_norms_match_numpy(layer_class, options):
    layer = layer_class(UNITS, return_sequences=True, dtype="float32", **options)
    inputs = random_inputs(STEPS, batch=1)
    weights = randomized(layer, inputs)

    (seen,) = trace_cell(layer.cell, inputs[0])

    outputs, _ = reference.run(layer_class.__name__, weights, inputs, **options)
    before = np.concatenate([np.zeros((1, UNITS)), outputs[0, :-1]])
    angles, updates = numpy_reference(weights, inputs[0], before, options)
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

    (seen,) = trace_cell(layer.cell, inputs[0])

    _, final = reference.run("ARUM", weights, inputs)
    eigenvalues = np.linalg.eigvals(final[1].reshape(UNITS, UNITS))
    expected = np.sort(np.abs(np.degrees(np.angle(eigenvalues))))
    assert seen.spectrum.shape == (STEPS, UNITS)
    # The arc cosine near 1 turns float32 rounding into errors of 0.1 degrees.
    np.testing.assert_allclose(seen.spectrum[-1], expected, atol=0.2)
    # One rotation acts in one plane.
    np.testing.assert_allclose(seen.spectrum[0, :-2], 0, atol=0.2)
    np.testing.assert_allclose(seen.spectrum[0, -2:], seen.angles[0], atol=0.2)


def test_trace_starts_from_given_states():
    layer = ARUM(UNITS, return_sequences=True, dtype="float32")
    inputs = random_inputs(STEPS, batch=1)
    randomized(layer, inputs)
    states = random_states(layer, batch=1)

    (seen,) = trace_cell(layer.cell, inputs[0], states)

    outputs = to_numpy(layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states]))
    np.testing.assert_allclose(seen.norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)


@pytest.mark.parametrize("name", ["eunn", "goru", "deltaproduct", "slstm", "lru", "lstm", "fsrnn"])
def test_trace_of_a_cell_without_rotations_has_only_norms(name):
    layer = make(name, UNITS + 1, return_sequences=True, **_slow_lstm(name))
    inputs = random_inputs(STEPS, batch=1)
    outputs = to_numpy(layer(inputs))

    (seen,) = trace_cell(layer.cell, inputs[0])

    np.testing.assert_allclose(seen.norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)
    assert seen.angles is None
    assert seen.update_gates is None
    assert seen.spectrum is None


def _slow_lstm(name):
    return {"slow": {"name": "lstm", "units": 3}} if name == "fsrnn" else {}


def test_rum_cells_within_a_fast_slow_rnn_are_traced():
    keras.utils.set_random_seed(3)
    cell = make("fsrnn", UNITS, fast={"name": "rum"}, slow={"name": "arum", "units": 3}).cell
    inputs = random_inputs(STEPS, batch=1)
    layer = keras.layers.RNN(cell, return_sequences=True)
    outputs = to_numpy(layer(inputs))

    seen = trace_cell(cell, inputs[0])

    assert [one.part for one in seen] == ["", "fast 1", "slow", "fast 2"]
    np.testing.assert_allclose(seen[0].norms, np.linalg.norm(outputs[0], axis=1), rtol=1e-4)
    np.testing.assert_allclose(seen[3].norms, seen[0].norms)
    assert [one.angles is None for one in seen] == [True, False, False, False]
    assert seen[2].spectrum.shape == (STEPS, 3)
    assert seen[1].spectrum is None


def test_long_sequence_has_at_most_200_spectra():
    layer = ARUM(3)
    layer.build((1, None, 3))

    (seen,) = trace_cell(layer.cell, random_inputs(250, batch=1)[0])

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
    # The arc cosine loses half of the digits near 1.
    np.testing.assert_allclose(rotation_angles(basis @ blocks @ basis.T), expected, atol=1e-5)
