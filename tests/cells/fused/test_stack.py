"""The fused loop of LNLSTM and FSRNN: the same results as the plain one, and what it refuses."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.arum import ARUMCell
from rumcli.cells.fs_rnn import FSRNN
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.rum import RUMCell
from tests.cells.contract import LayerContract, random_inputs, to_numpy
from tests.cells.gradients import BACKEND, compiled, needs_kernels, needs_tensorflow, relative_error

from .comparison import (
    assert_finite_for_inputs_of,
    assert_half_precision_is_rounded_only,
    assert_masked_alike,
    assert_same,
    assert_second_order_is_refused,
    in_a_process_of_its_own,
    model_with,
    pair,
    results,
    traces_of,
)

if BACKEND in ("tensorflow", "jax"):
    from rumcli.cells.fused.layout import ROWS

    from .comparison import custom_gradient

pytestmark = needs_kernels

FAST = {"zoneout": 0.1, "cell_zoneout": 0.5}
SLOW = {"time_norm": 1.0, "layer_norm": True, "layer_norm_order": "after_sigmoid", "zoneout": 0.1}


def ln_lstm(units: int, **options: Any) -> LNLSTM:
    return LNLSTM(units, seed=5, **options)


def ln_lstm_zoneout(units: int, **options: Any) -> LNLSTM:
    return LNLSTM(units, seed=5, **FAST, **options)


def fs_rum(units: int, **options: Any) -> FSRNN:
    dtype = options.get("dtype")
    fast = [LNLSTMCell(units, seed=n, dtype=dtype, **FAST) for n in range(2)]
    slow = RUMCell(units + 2, seed=8, dtype=dtype, **SLOW)
    return FSRNN(fast, slow, dropout=0.35, seed=9, **options)


def fs_lstm(units: int, **options: Any) -> FSRNN:
    dtype = options.get("dtype")
    fast = [LNLSTMCell(units, dtype=dtype) for _ in range(4)]
    return FSRNN(fast, LNLSTMCell(units - 1, dtype=dtype), **options)


def all_rum(units: int, **options: Any) -> FSRNN:
    dtype = options.get("dtype")
    fast = [
        RUMCell(units, activation="tanh", dtype=dtype),
        RUMCell(
            units, update_gate=False, candidate_bias=True, bias_initializer="ones", dtype=dtype
        ),
    ]
    return FSRNN(fast, RUMCell(3, time_norm=0.5, dtype=dtype), dropout=0.2, seed=9, **options)


LAYERS: dict[str, Callable[..., Any]] = {
    make.__name__: make for make in (ln_lstm, ln_lstm_zoneout, fs_rum, fs_lstm, all_rum)
}
STEPS, BATCHES, UNITS = (1, 2, 17, 200), (1, 3, 128), (7, 8)
LARGE = ("fs_rum", "fs_lstm")  # are traced for seconds; other tests run fs_rum, too
SAMPLE = [
    (layer, (4, 1, 2)[n % 3], BATCHES[(n + n // 3) % 3], UNITS[n % 2])
    for n, layer in enumerate(LAYERS)
]


def random_states(layer: Any, batch: int) -> list[np.ndarray]:
    rng = np.random.default_rng(7)
    return [0.3 * rng.standard_normal((batch, size)) for size in layer.state_size]


def assert_same_in_float64(name: str, steps: int, batch: int, units: int) -> None:
    layers = pair(LAYERS[name], units)
    inputs = random_inputs(steps, "float64", batch)
    states = random_states(layers[0], batch) if (steps + batch) % 2 else None
    plain, other = (results(layer, inputs, states, training=True) for layer in layers)
    # Two orders of the same sums in float64; layer norm and rounding make them grow with T.
    assert_same(plain, other, 1e-9)


@pytest.mark.parametrize(
    ("name", "steps", "batch", "units"),
    # Four fast cells take long to be traced.
    [pytest.param(*one, marks=[pytest.mark.slow] * (one[0] in LARGE)) for one in SAMPLE],
)
def test_outputs_and_gradients_are_those_of_the_plain_loop(name, steps, batch, units):
    assert_same_in_float64(name, steps, batch, units)


def test_samples_as_rows_give_the_outputs_and_gradients_of_the_plain_loop(monkeypatch):
    # As on a GPU, and where the samples are split among devices.
    monkeypatch.setattr(custom_gradient, "layout", lambda: ROWS)
    assert_same_in_float64("ln_lstm_zoneout", 3, 3, 7)


@pytest.mark.e2e
@pytest.mark.compiled
def test_compiled_outputs_and_gradients_are_those_of_the_plain_loop():
    assert_same_in_float64("fs_rum", 2, 3, 7)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_outputs_and_gradients_are_those_of_the_plain_loop_in_every_combination(name):
    cases = itertools.product([name], STEPS, BATCHES, UNITS)
    in_a_process_of_its_own(assert_same_in_float64, cases)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("ln_lstm_zoneout", "float16"), pytest.param("fs_rum", "bfloat16", marks=pytest.mark.slow)],
)
def test_half_precision_is_rounded_only(name, dtype):
    assert_half_precision_is_rounded_only(LAYERS[name], dtype)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ln_lstm_zoneout", {}),
        ("ln_lstm_zoneout", {"zero_output_for_mask": True}),
        ("ln_lstm_zoneout", {"go_backwards": True}),
        pytest.param("fs_rum", {}, marks=pytest.mark.slow),
        pytest.param("fs_rum", {"go_backwards": True}, marks=pytest.mark.slow),
    ],
)
def test_masks_are_those_of_the_plain_loop(name, options):
    assert_masked_alike(pair(LAYERS[name], 5, **options), random_states)


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("ln_lstm", False),
        ("ln_lstm", True),
        pytest.param("fs_rum", False, marks=pytest.mark.slow),
        pytest.param("fs_rum", True, marks=pytest.mark.slow),
    ],
)
def test_a_single_output_is_that_of_the_plain_loop(name, masked):
    layers = pair(LAYERS[name], 5, return_sequences=False, return_state=False)
    inputs = random_inputs(6, "float64", 3)
    mask = np.array([[True] * 6, [True, False, True, True, False, False], [False] * 6])
    call = {"mask": ops.convert_to_tensor(mask)} if masked else {}

    plain, other = (results(layer, inputs, training=True, **call) for layer in layers)

    assert_same(plain, other, 1e-11)


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "batch"),
    [
        ("ln_lstm", 64),
        pytest.param("fs_rum", 64, marks=pytest.mark.slow),
        pytest.param("fs_rum", 65, marks=pytest.mark.slow),
    ],
)
def test_shards_of_samples_change_nothing(name, batch, monkeypatch):
    monkeypatch.setattr(custom_gradient, "_cores", lambda: 2)
    layers = pair(LAYERS[name], 5)
    inputs = random_inputs(3, "float64", batch)

    plain, other = (results(layer, inputs, training=True) for layer in layers)

    assert_same(plain, other, 1e-11)


@pytest.mark.parametrize(
    "name", ["ln_lstm", "fs_rum", pytest.param("all_rum", marks=pytest.mark.slow)]
)
def test_zero_huge_and_tiny_inputs_give_finite_outputs_and_gradients(name):
    _, layer = pair(LAYERS[name], 6, dtype="float32")
    assert_finite_for_inputs_of(layer, [0.0, 1e-18, 1e18])


@pytest.mark.slow
def test_gradients_over_many_steps_in_float32_are_those_of_float64():
    _, exact = pair(fs_rum, 40, return_state=False)
    _, layer = pair(fs_rum, 40, dtype="float32", return_state=False)
    for one, other in zip(layer.trainable_variables, exact.trainable_variables, strict=True):
        one.assign(to_numpy(other.value))
    inputs = random_inputs(150, "float64", 2)

    expected, found = results(exact, inputs), results(layer, inputs.astype("float32"))

    assert_same(expected, found, 1e-3)


@pytest.mark.e2e
@pytest.mark.compiled
@pytest.mark.parametrize(
    "name", ["ln_lstm_zoneout", pytest.param("fs_rum", marks=pytest.mark.slow)]
)
def test_it_is_taken_inside_fit_and_draws_what_the_plain_loop_draws(name):
    losses, loops = {}, {}
    for way in ("auto", "plain"):
        keras.utils.set_random_seed(1)
        # In float64, because the layer norms of six units enlarge rounding.
        model = model_with(LAYERS[name](6, implementation=way, dtype="float64"))
        inputs = random_inputs(5, batch=16)
        before = custom_gradient.traces()
        history = model.fit(inputs, inputs[:, 0, :1], batch_size=8, epochs=3, verbose=0)
        losses[way], loops[way] = history.history["loss"], custom_gradient.traces() - before
    # The linear layer behind them is of float32.
    np.testing.assert_allclose(losses["auto"], losses["plain"], rtol=1e-5)
    assert loops["auto"] > 0
    assert loops["plain"] == 0


def test_second_order_gradients_are_refused_in_words():
    _, layer = pair(ln_lstm, 5)
    assert_second_order_is_refused(layer)


@pytest.mark.parametrize(
    ("slow", "why"),
    [
        (lambda: ARUMCell(4), "ARUMCell in a Fast-Slow RNN"),
        (lambda: keras.layers.GRUCell(4), "GRUCell has no fused loop"),
        (lambda: RUMCell(4, activation=lambda z: 2.0 * z), "not one of keras.activations"),
    ],
)
def test_what_cannot_be_fused_says_why_and_is_computed_plainly(slow, why):
    def make(**options: Any) -> FSRNN:
        return FSRNN([LNLSTMCell(5), LNLSTMCell(5)], slow(), **options)

    with pytest.raises(ValueError, match=f"implementation='fused' is not available: .*{why}"):
        make(implementation="fused")
    layer = make()
    assert traces_of(lambda: compiled(layer)(random_inputs(5))) == 0


def test_a_stateful_layer_goes_on_as_the_plain_loop_does():
    layers = pair(ln_lstm, 5, stateful=True, return_state=False, batch=3)
    inputs = random_inputs(4, "float64", 3)

    plain, other = ([to_numpy(layer(inputs)), to_numpy(layer(inputs))] for layer in layers)

    for found, expected in zip(other, plain, strict=True):
        assert relative_error(found, expected) < 1e-11


@pytest.mark.slow  # TestFusedARUM takes the same path
class TestFusedLNLSTM(LayerContract):
    layer_class = LNLSTM
    arguments = {"implementation": "fused"}  # noqa: RUF012 - as the contract has it

    test_unrolling_changes_nothing = None
    test_a_masked_step_carries_the_states = None  # `test_masks_are_those_of_the_plain_loop` is
