""""""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from rumcli import cells
from rumcli.cells.rum import RUM
from rumcli.models.rnn_wrappers import BucketedRNN, StatefulRNN, Stepper, bucket_lengths
from tests import small

CELLS = {"rum": {"time_norm": 1.0}, "arum": {"time_norm": 1.0}, "lstm": {}, "gru": {}}

STEPS = 12

STEPPED_CELLS = [("rum", 2), ("arum", 1), ("fsrnn", 1), ("lstm", 2), ("gru", 1), ("rnn", 1)]


def carried(name, **options):
    keras.utils.set_random_seed(1)
    layer = cells.make(name, 6, **options, return_sequences=True, return_state=True)
    return StatefulRNN(layer, training_streams=3, evaluation_streams=3)


def inputs(steps, streams=3):
    return np.random.default_rng(0).standard_normal((streams, steps, 4)).astype("float32")


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("name", "options"), CELLS.items(), ids=CELLS)
def test_two_windows_are_one_of_twice_the_length(name, options, training):
    layer, x = carried(name, **options), inputs(10)
    first = layer(x[:, :4], np.ones(3, "float32"), training=training)
    second = layer(x[:, 4:], np.zeros(3, "float32"), training=training)
    parts = np.concatenate([first, second], axis=1)
    whole, *_ = layer.layer(x)
    # Sums in another order: float32.
    np.testing.assert_allclose(parts, ops.convert_to_numpy(whole), atol=1e-5)


@pytest.mark.parametrize(("name", "options"), CELLS.items(), ids=CELLS)
def test_new_stream_resets_the_state(name, options):
    layer, x = carried(name, **options), inputs(5)
    first = ops.convert_to_numpy(layer(x, np.ones(3, "float32")))
    again = ops.convert_to_numpy(layer(x, np.array([1, 0, 1], "float32")))
    np.testing.assert_array_equal(again[[0, 2]], first[[0, 2]])
    assert not np.allclose(again[1], first[1])


def test_training_and_evaluation_have_separate_states():
    layer, x, goes_on = carried("rum"), inputs(5), np.zeros(3, "float32")
    first = ops.convert_to_numpy(layer(x, goes_on, training=True))
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x, goes_on, training=False)), first)
    assert not np.allclose(ops.convert_to_numpy(layer(x, goes_on, training=True)), first)


def test_the_states_are_not_trained_and_start_as_the_layer_has_them():
    layer = carried("arum")
    layer(inputs(2), np.ones(3, "float32"))
    fresh = carried("arum")
    fresh.build((None, 5, 4), (None,))
    assert len(fresh.non_trainable_weights) == 4
    assert {w.name for w in fresh.trainable_weights} == {w.name for w in fresh.layer.weights}
    np.testing.assert_array_equal(
        ops.convert_to_numpy(fresh.training_states[1])[0].reshape(6, 6), np.eye(6)
    )


def test_a_batch_of_another_size_is_of_no_stream():
    layer = carried("lstm")
    layer(inputs(5), np.ones(3, "float32"))
    before = [ops.convert_to_numpy(state) for state in layer.evaluation_states]
    x = inputs(5, streams=7)
    found = layer(x, np.zeros(7, "float32"))
    np.testing.assert_array_equal(found, layer.layer(x)[0])
    for state, after in zip(before, layer.evaluation_states, strict=True):
        np.testing.assert_array_equal(state, ops.convert_to_numpy(after))


def test_layer_without_returned_states_is_rejected():
    with pytest.raises(ValueError, match="return_state=True"):
        StatefulRNN(cells.make("rum", 6, return_sequences=True), 3, 3)


def padded(sizes, units=3):
    inputs = np.random.default_rng(1).normal(size=(len(sizes), STEPS, units)).astype("float32")
    there = np.arange(STEPS)[None] >= STEPS - np.array(sizes)[:, None]
    return inputs, there


@pytest.mark.parametrize("sequences", [False, True], ids=["last", "all"])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (4, 6, 5), (12, 1, 3)], ids=str)
def test_skipped_padding_changes_no_result(sequences, sizes):
    inputs, there = padded(sizes)
    layer = RUM(5, return_sequences=sequences, zero_output_for_mask=True)
    trimmed = BucketedRNN(layer, [3, 6, STEPS])
    trimmed.build(inputs.shape, there.shape)

    expected = keras.ops.convert_to_numpy(layer(inputs, mask=there))
    found = keras.ops.convert_to_numpy(trimmed(inputs, there))

    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("lengths", [[STEPS], [3, 6, STEPS]], ids=str)
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "all"])
def test_backward_layer_reads_each_sequence_from_its_end(sequences, lengths):
    inputs, there = padded((4, 6, 5))
    layer = RUM(5, return_sequences=sequences)
    trimmed = BucketedRNN(layer, lengths, backwards=True)
    trimmed.build(inputs.shape, there.shape)

    found = keras.ops.convert_to_numpy(trimmed(inputs, there))

    for sample, size in enumerate((4, 6, 5)):
        turned = inputs[sample : sample + 1, STEPS - size :][:, ::-1]
        expected = keras.ops.convert_to_numpy(layer(turned))[0]
        if sequences:
            np.testing.assert_allclose(found[sample, STEPS - size :], expected[::-1], atol=1e-6)
        else:
            np.testing.assert_allclose(found[sample], expected, atol=1e-6)


@pytest.mark.slow
def test_bucketed_layer_learns_as_the_plain_layer():
    inputs, there = padded((2, 5, 7, 3))
    targets = np.zeros((4, 5), "float32")
    weights = []
    for lengths in ([STEPS], [7, STEPS]):
        keras.utils.set_random_seed(1)
        value, mask = keras.Input((STEPS, 3)), keras.Input((STEPS,), dtype="bool")
        model = keras.Model([value, mask], BucketedRNN(RUM(5), lengths)(value, mask))
        model.compile("sgd", "mse")
        for chosen in ([0], [1], [2, 3]):
            model.train_on_batch([inputs[chosen], there[chosen]], targets[chosen])
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def cost(sizes, lengths):
    return sum(min(length for length in lengths if length >= size) for size in sizes)


def test_one_bucket_per_length_wastes_nothing():
    assert bucket_lengths([4, 1, 3, 2]) == [1, 2, 3, 4]
    assert bucket_lengths([5] * 90 + [50] * 10) == [5, 50]
    assert bucket_lengths([7]) == [7]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 4))
def test_bucket_lengths_waste_least(sizes, most):
    found = bucket_lengths(sizes, most)

    longest = max(sizes)
    others = [size for size in set(sizes) if size < longest]
    least = min(
        cost(sizes, [*some, longest])
        for count in range(min(most, len(set(sizes))))
        for some in itertools.combinations(others, count)
    )
    assert found == sorted(set(found))
    assert len(found) <= most
    assert cost(sizes, found) == least


@pytest.mark.parametrize(("cell", "layers"), STEPPED_CELLS)
def test_stepwise_logits_match_the_whole_window(tmp_path, cell, layers):
    keras.utils.set_random_seed(1)
    settings = [f"model.layers={layers}", "task.bptt_steps=5", "model.dropout=0.5"]
    run = small.run_config(
        "ptb", cell, settings=settings, task__data=str(small.write_text(tmp_path))
    )
    model = small.task(run).model()
    symbols = np.array([[0, 3, 1, 1, 2]], dtype="int32")
    expected = model({"symbols": symbols, "reset": np.ones(1, "float32")})

    step = Stepper(model)
    states, found = step.first_states(), []
    for symbol in symbols[0]:
        logits, *states = step([np.array([symbol]), *states])
        found.append(keras.ops.convert_to_numpy(logits)[0])

    # The loop over the window adds in another order: float32.
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected)[0], atol=1e-5)
