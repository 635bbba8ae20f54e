"""The layer-normalized LSTM against its formulas in NumPy; the golden arrays are in their file."""

import keras
import numpy as np
import pytest

from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell

from .contract import FEATURES, random_inputs, random_states, to_numpy
from .gradients import needs_float64


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def layer_norm(x, gain, offset):
    mean = x.mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3) * gain + offset


def by_the_book(cell, inputs, states):
    """Return all outputs and the final states, `[B, T, H]` and `[B, H]`."""
    weights = {variable.name: to_numpy(variable.value) for variable in cell.trainable_variables}
    h, c = states
    outputs = []
    for x in np.swapaxes(inputs, 0, 1):
        products = x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]
        parts = zip(
            *(np.split(a, 4, axis=-1) for a in (products, weights["gate_gain"])),
            np.split(weights["gate_offset"], 4),
            strict=True,
        )
        i, j, f, o = (layer_norm(*part) for part in parts)
        new = sigmoid(f + cell.forget_bias) * c + sigmoid(i) * np.tanh(j)
        shown = np.tanh(layer_norm(new, weights["cell_gain"], weights["cell_offset"]))
        h = cell.zoneout * h + (1.0 - cell.zoneout) * sigmoid(o) * shown
        c = cell.cell_zoneout * c + (1.0 - cell.cell_zoneout) * new
        outputs.append(h)
    return np.stack(outputs, axis=1), [h, c]


def away_from_the_start(layer):
    rng = np.random.default_rng(5)
    for variable in layer.trainable_variables:
        variable.assign(to_numpy(variable.value) + 0.2 * rng.standard_normal(variable.shape))
    return layer


@needs_float64
@pytest.mark.parametrize("options", [{}, {"zoneout": 0.1, "cell_zoneout": 0.5, "forget_bias": 0}])
def test_it_computes_its_formulas(options):
    layer = LNLSTM(4, return_sequences=True, return_state=True, dtype="float64", **options)
    layer.build((3, 5, FEATURES))
    away_from_the_start(layer)
    inputs = random_inputs(5, "float64")
    states = random_states(layer, "float64")

    outputs, *final = to_numpy(layer(inputs, initial_state=states))

    expected, expected_final = by_the_book(layer.cell, inputs, states)
    # Two orders of the same sums in float64, five steps of them.
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(final, expected_final, rtol=0, atol=1e-12)


def test_zoneout_in_training_keeps_whole_units_at_its_rates():
    layer = LNLSTM(400, zoneout=0.1, cell_zoneout=0.5, return_state=True, seed=1)
    inputs = random_inputs(1)
    states = [state + 1.0 for state in random_states(layer)]  # nowhere what a step makes of them

    _, h, c = to_numpy(layer(inputs, initial_state=states, training=True))

    kept = [np.mean(after == before) for after, before in zip((h, c), states, strict=True)]
    # Of 1,200 units each: the deviation of the share is 0.009 and 0.014.
    assert kept == pytest.approx([0.1, 0.5], abs=0.05)


def test_the_initial_weights_are_the_published_ones():
    layer = LNLSTM(6)
    layer.build((None, None, 3))
    kernel, recurrent = (
        to_numpy(w.value) for w in (layer.cell.kernel, layer.cell.recurrent_kernel)
    )
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(6), atol=1e-5)
    assert not to_numpy(layer.cell.bias.value).any()
    assert (to_numpy(layer.cell.gate_gain.value) == 1.0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "units must be a positive integer, got 0"),
        ({"units": 3, "zoneout": 1.0}, r"zoneout must be in \[0, 1\), got 1.0"),
        ({"units": 3, "cell_zoneout": -0.1}, r"cell_zoneout must be in \[0, 1\), got -0.1"),
    ],
)
def test_arguments_out_of_range_are_told(arguments, message):
    for made in (LNLSTMCell, LNLSTM):
        with pytest.raises(ValueError, match=message):
            made(**arguments)


def test_inputs_of_an_unknown_size_are_told():
    with pytest.raises(ValueError, match="the last dimension of the inputs must be known"):
        LNLSTMCell(3).build((None, None))


def test_the_published_initialisers_can_be_others():
    layer = LNLSTM(3, kernel_initializer="zeros", bias_initializer="ones")
    layer.build((None, None, 2))
    assert not to_numpy(layer.cell.kernel.value).any()
    again = LNLSTM.from_config(layer.get_config())
    assert isinstance(again.cell.bias_initializer, keras.initializers.Ones)
