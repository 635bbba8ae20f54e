import keras
import numpy as np
import pytest
from keras import ops

from rumcli import cells
from rumcli.models.stateful_rnn import StatefulRNN

CELLS = {"rum": {"time_norm": 1.0}, "arum": {"time_norm": 1.0}, "lstm": {}, "gru": {}}


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
