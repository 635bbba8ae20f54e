"""The Fast-Slow RNN against its cells, called one by one."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.arum import ARUMCell
from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
from rumcli.cells.goru import GORUCell
from rumcli.cells.ln_lstm import LNLSTMCell
from rumcli.cells.rum import RUMCell

from .contract import FEATURES, random_inputs, random_states, to_numpy


def by_hand(layer, inputs, states):
    """Return the last output, cell after cell, as the paper has it."""
    fast, slow = layer.cell.fast_cells, layer.cell.slow_cell
    count = len(fast[0].state_size) if isinstance(fast[0].state_size, list) else 1
    f, s = list(states[:count]), list(states[count:])
    for x in np.swapaxes(inputs, 0, 1):
        o, f = fast[0](x, f)
        value, s = slow(o, s)
        o, f = fast[1](value, f)
        for cell in fast[2:]:
            o, f = cell(ops.zeros((len(x), 1)), f)
    return o


@pytest.mark.parametrize(
    "make_slow",
    [
        lambda: RUMCell(7, time_norm=1.0),
        lambda: ARUMCell(4),
        lambda: GORUCell(6),
        lambda: keras.layers.LSTMCell(3),
    ],
    ids=["rum", "arum", "goru", "lstm"],
)
@pytest.mark.parametrize("fast_cells", [2, 4])
def test_the_cells_act_in_their_order_on_their_states(make_slow, fast_cells):
    keras.utils.set_random_seed(7)  # layer norm enlarges rounding, with some weights tenfold
    layer = FSRNN([LNLSTMCell(5) for _ in range(fast_cells)], make_slow())
    layer.build((3, 4, FEATURES))
    inputs = random_inputs(4)
    states = random_states(layer)

    found = to_numpy(layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states]))

    expected = to_numpy(by_hand(layer, inputs, [ops.convert_to_tensor(s) for s in states]))
    # Two paths through the same formulas in float32, four steps of a few roundings each.
    np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)


def test_the_states_are_those_of_the_fast_cells_and_then_those_of_the_slow_one():
    layer = FSRNN([LNLSTMCell(5), LNLSTMCell(5)], ARUMCell(3))
    assert layer.state_size == [5, 5, 3, 9]
    # The memory of an ARUM begins as the identity.
    initial = layer.get_initial_state(2)
    np.testing.assert_array_equal(to_numpy(initial[3])[1].reshape(3, 3), np.eye(3))
    assert [tuple(state.shape) for state in initial] == [(2, 5), (2, 5), (2, 3), (2, 9)]


def test_the_fast_cells_start_from_the_state_of_the_first_one():
    sized_alike = keras.layers.StackedRNNCells([keras.layers.GRUCell(2), keras.layers.GRUCell(4)])
    for fast, expected in (
        ([ARUMCell(2), sized_alike], np.eye(2).ravel()),
        ([sized_alike, ARUMCell(2)], np.zeros(4)),
    ):
        _, memory, _ = FSRNN(fast, RUMCell(3)).get_initial_state(1)
        np.testing.assert_array_equal(to_numpy(memory)[0], expected)


def test_dropout_drops_the_output_in_training_and_scales_what_is_left():
    layer = FSRNN(
        [LNLSTMCell(300), LNLSTMCell(300)],
        RUMCell(4),
        dropout=0.25,
        seed=1,
        return_sequences=True,
        return_state=True,
    )
    inputs = random_inputs(1)

    outputs, state, *_ = to_numpy(layer(inputs, training=True))

    dropped = outputs[:, 0] == 0
    # Of 900 values: the deviation of the share is 0.014.
    assert dropped.mean() == pytest.approx(0.25, abs=0.06)
    # The state itself is not dropped.
    assert np.all(state != 0)
    np.testing.assert_allclose(outputs[:, 0][~dropped], state[~dropped] / 0.75, rtol=1e-5)
    np.testing.assert_array_equal(*(to_numpy(layer(inputs)[k]) for k in (0, 0)))


def test_each_step_drops_values_of_its_own():
    layer = FSRNN([LNLSTMCell(50), LNLSTMCell(50)], RUMCell(4), dropout=0.5, return_sequences=True)
    outputs = to_numpy(layer(random_inputs(3), training=True))
    assert not np.array_equal(outputs[:, 0] == 0, outputs[:, 1] == 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda: ([LNLSTMCell(3)], RUMCell(3)), "two or more cells, got 1"),
        (lambda: ([LNLSTMCell(3), LNLSTMCell(4)], RUMCell(3)), "states of the same sizes"),
        (lambda: ([LNLSTMCell(3)] * 2, RUMCell(3)), "must be different objects"),
        (
            lambda: ([LNLSTMCell(3), LNLSTMCell(3)], RUMCell(3, dtype="float64")),
            "dtype float32, that of the Fast-Slow RNN, got float64 of RUMCell",
        ),
    ],
)
def test_cells_that_do_not_go_together_are_told(arguments, message):
    for made in (FSRNNCell, FSRNN):
        with pytest.raises(ValueError, match=message):
            made(*arguments())


def test_a_dropout_out_of_range_is_told():
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got 1"):
        FSRNNCell([LNLSTMCell(3), LNLSTMCell(3)], RUMCell(3), dropout=1)


@pytest.mark.slow
def test_the_plain_loop_of_published_size_trains_for_more_than_one_step():
    # TensorFlow's graph optimizer breaks it at the second step where it knows the batch's size.
    fast = [LNLSTMCell(700) for _ in range(2)]
    layer = FSRNN(fast, RUMCell(1000, time_norm=1.0), implementation="plain")
    model = keras.Sequential([keras.Input((30, 128), batch_size=128), layer])
    model.compile("sgd", "mse")
    inputs, targets = np.ones((128, 30, 128), "float32"), np.zeros((128, 700), "float32")
    for _ in range(3):
        assert np.isfinite(model.train_on_batch(inputs, targets))
