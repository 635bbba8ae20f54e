"""sLSTM against the published equations in NumPy, with their normalizer and stabilizer."""

import numpy as np
import pytest

from rumcli.cells.slstm import SLSTM

from .contract import FEATURES, random_inputs, to_numpy
from .gradients import needs_float64


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def by_the_book(cell, inputs):
    """Return all outputs `[B, T, H]` and the final states c, n and m: equations 8-17."""
    weights = {variable.name: to_numpy(variable.value) for variable in cell.trainable_variables}
    size = cell.units // cell.num_heads
    h = c = n = m = np.zeros((inputs.shape[0], cell.units))
    outputs = []
    for x in np.swapaxes(inputs, 0, 1):
        gates = np.split(x @ weights["kernel"] + weights["bias"], 4, axis=-1)
        for gate, block in enumerate(np.split(weights["recurrent_kernel"], 4, axis=-1)):
            for head in range(cell.num_heads):
                part = slice(head * size, (head + 1) * size)
                gates[gate][:, part] += h[:, part] @ block[:, part]
        z, i, f, o = gates
        f = f + cell.forget_bias
        log_f = np.log(sigmoid(f)) if cell.forget_gate == "sigmoid" else f
        stabilizer = np.maximum(log_f + m, i)
        i, f, m = np.exp(i - stabilizer), np.exp(log_f + m - stabilizer), stabilizer
        c = f * c + i * np.tanh(z)
        n = f * n + i
        h = sigmoid(o) * c / n
        outputs.append(h)
    return np.stack(outputs, axis=1), c, n, m


@needs_float64
@pytest.mark.parametrize(
    "options", [{}, {"num_heads": 2, "forget_gate": "exponential", "forget_bias": -0.5}]
)
def test_it_computes_its_formulas(options):
    layer = SLSTM(
        4,
        return_sequences=True,
        return_state=True,
        dtype="float64",
        bias_initializer="ones",
        **options,
    )
    inputs = random_inputs(6, "float64")

    outputs, _, memory, normalizer = to_numpy(layer(inputs))

    expected, c, n, m = by_the_book(layer.cell, inputs)
    # A few roundings in each of six steps.
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(memory, c / n, rtol=0, atol=1e-12)
    np.testing.assert_allclose(normalizer, m + np.log(n), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [1e3, -1e3])
def test_extreme_gates_neither_overflow_nor_vanish(size):
    layer = SLSTM(3, return_sequences=True, forget_gate="exponential")
    layer.build((None, None, FEATURES))
    bias = np.zeros((4, 3), "float32")
    bias[1] = bias[2] = size
    layer.cell.bias.assign(bias.ravel())

    outputs = to_numpy(layer(random_inputs(5)))

    assert np.all(np.isfinite(outputs))
    assert np.all(np.abs(outputs) <= 1.0)  # a weighted mean of tanh, times a sigmoid
    assert np.abs(outputs).max() > 0.1


def test_each_head_has_its_own_recurrent_matrix():
    layer = SLSTM(6, num_heads=3)
    layer.build((None, None, FEATURES))
    blocks = np.split(to_numpy(layer.cell.recurrent_kernel.value), 12, axis=-1)
    assert len({block[0, 0] for block in blocks}) == 12
    for block in blocks:
        np.testing.assert_allclose(block.T @ block, np.eye(2), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 2}, "num_heads must divide units=3, got 2"),
        ({"forget_gate": "relu"}, "forget_gate must be 'sigmoid' or 'exponential', got 'relu'"),
        ({"implementation": "fused"}, "SLSTMCell has no fused loop"),
    ],
)
def test_wrong_arguments_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        SLSTM(3, **options)
