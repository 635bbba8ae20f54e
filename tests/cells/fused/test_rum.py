"""The fused loop of RUM and ARUM: the same results as the plain one."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest
from keras import activations, ops

from rumcli.cells.arum import ARUM
from rumcli.cells.rum import RUM
from tests.cells.contract import FEATURES, random_inputs, to_numpy
from tests.cells.gradients import BACKEND, needs_kernels, needs_tensorflow, relative_error

from .comparison import (
    assert_half_precision_is_rounded_only,
    assert_masked_alike,
    assert_same,
    errors,
    in_a_process_of_its_own,
    random_states,
    results,
    rum_pair,
)

if BACKEND in ("tensorflow", "jax"):
    from rumcli.cells.fused.layout import ROWS

    from .comparison import custom_gradient
if BACKEND == "tensorflow":
    import tensorflow as tf

pytestmark = needs_kernels

OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "time norm": {"time_norm": 0.7},
    "layer norm": {"layer_norm": True, "activation": "tanh"},
    "published": {
        "time_norm": 1.0,
        "layer_norm": True,
        "layer_norm_order": "after_sigmoid",
        "zoneout": 0.1,
    },
    "no update gate": {"update_gate": False, "activation": "softsign"},
    "no update gate, layer norm": {"update_gate": False, "layer_norm": True, "time_norm": 2.0},
    "candidate bias": {"candidate_bias": True, "bias_initializer": "ones", "activation": "softmax"},
    "backwards": {"go_backwards": True, "zoneout": 0.3},
}
STEPS, BATCHES, UNITS = (1, 2, 17, 200), (1, 3, 128), (7, 8)
# Each option with one of the layers, and among them every B and H, and a T of each kind; the slow
# test has every option with both.
SAMPLE = [
    (layer, option, (1, 2, 9, 5)[n % 4], BATCHES[(n + n // 3) % 3], UNITS[(n + n // 4) % 2])
    for n, (layer, option) in enumerate(zip(itertools.cycle((RUM, ARUM)), OPTIONS, strict=False))
]


ACTIVATIONS = (
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu"),
    *("relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign"),
    *("sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink"),
)


def assert_same_in_float64(layer_class: Any, option: str, steps: int, batch: int, units: int):
    pair = rum_pair(layer_class, units, **OPTIONS[option])
    inputs = random_inputs(steps, "float64", batch)
    # Half of the cases begin with an empty memory, which takes a path of its own.
    states = random_states(pair[0], batch) if (steps + batch) % 2 else None
    plain, other = (results(layer, inputs, states, training=True) for layer in pair)
    # Two orders of the same sums in float64; rounding grows with the number of steps.
    bounds = [1e-9] * len(errors(plain, other))
    if max(errors(plain, other)) >= 1e-9:
        # Some of the long sequences are chaotic: there the plain loop does not even agree with
        # itself once its inputs are changed by one rounding, and no other order of sums can.
        again, _ = rum_pair(layer_class, units, **OPTIONS[option])  # which draws the same once more
        nudged = results(again, np.nextafter(inputs, np.inf), states, training=True)
        bounds = [max(1e-9, 100 * error) for error in errors(plain, nudged)]
    assert all(np.less(errors(plain, other), bounds))


@pytest.mark.parametrize(("layer_class", "option", "steps", "batch", "units"), SAMPLE)
def test_outputs_and_gradients_are_those_of_the_plain_loop(
    layer_class, option, steps, batch, units
):
    assert_same_in_float64(layer_class, option, steps, batch, units)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_samples_as_rows_give_the_outputs_and_gradients_of_the_plain_loop(layer_class, monkeypatch):
    # As on a GPU, and where the samples are split among devices.
    monkeypatch.setattr(custom_gradient, "layout", lambda: ROWS)
    assert_same_in_float64(layer_class, "published", 3, 3, 7)


@pytest.mark.e2e
@pytest.mark.compiled
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_compiled_outputs_and_gradients_are_those_of_the_plain_loop(layer_class):
    assert_same_in_float64(layer_class, "published", 3, 3, 7)


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_outputs_and_gradients_are_those_of_the_plain_loop_in_every_combination(
    layer_class, option
):
    cases = itertools.product([layer_class], [option], STEPS, BATCHES, UNITS)
    in_a_process_of_its_own(assert_same_in_float64, cases)


@pytest.mark.parametrize(
    ("layer_class", "option", "dtype"),
    [
        (RUM, "published", "bfloat16"),
        pytest.param(ARUM, "time norm", "float16", marks=pytest.mark.slow),
    ],
)
def test_half_precision_is_rounded_only(layer_class, option, dtype):
    make = functools.partial(layer_class, seed=5, **OPTIONS[option])
    assert_half_precision_is_rounded_only(make, dtype)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
@pytest.mark.parametrize("options", [{}, {"zero_output_for_mask": True}, {"go_backwards": True}])
def test_masks_are_those_of_the_plain_loop(layer_class, options):
    assert_masked_alike(rum_pair(layer_class, 5, zoneout=0.2, **options), random_states)


@pytest.mark.parametrize(("layer_class", "masked"), [(RUM, False), (ARUM, True)])
def test_a_single_output_is_that_of_the_plain_loop(layer_class, masked):
    layers = rum_pair(layer_class, 5, return_sequences=False, return_state=False)
    inputs = random_inputs(6, "float64", 3)
    mask = np.array([[True] * 6, [True, False, True, True, False, False], [False] * 6])
    call = {"mask": ops.convert_to_tensor(mask)} if masked else {}

    plain, other = (results(layer, inputs, **call) for layer in layers)

    assert_same(plain, other, 1e-11)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_a_stateful_layer_goes_on_as_the_plain_loop_does(layer_class):
    layers = rum_pair(layer_class, 5, stateful=True, return_state=False, batch=3)
    inputs = random_inputs(4, "float64", 3)

    plain, other = (
        [to_numpy(layer(inputs)), to_numpy(layer(inputs)), *(to_numpy(s.value) for s in states)]
        for layer in layers
        for states in [layer.states or []]
    )

    for found, expected in zip(other, plain, strict=True):
        assert relative_error(found, expected) < 1e-11
    for one, another in zip(*(layer.states for layer in layers), strict=True):
        assert relative_error(to_numpy(another.value), to_numpy(one.value)) < 1e-11


@needs_tensorflow
@pytest.mark.parametrize("batch", [64, 65])
def test_shards_of_samples_change_nothing(batch, monkeypatch):
    monkeypatch.setattr(custom_gradient, "_cores", lambda: 2)
    plain, layer = rum_pair(ARUM, 5)
    inputs = random_inputs(4, "float64", batch)

    @tf.function(input_signature=[tf.TensorSpec((None, 4, FEATURES), tf.float64)])
    def function(inputs):  # decides when it runs
        return layer(inputs)

    expected = to_numpy(plain(inputs))
    for outputs in (layer(inputs), function(inputs)):
        for one, other in zip(to_numpy(outputs), expected, strict=True):
            assert relative_error(one, other) < 1e-11


@needs_tensorflow
def test_many_small_shards_change_nothing(monkeypatch):
    monkeypatch.setattr(custom_gradient, "_cores", lambda: 1)
    monkeypatch.setattr(custom_gradient, "_MOST_CARRIED", 8 * 5 * 5 * 8)  # of 8 samples in float64
    layers = rum_pair(ARUM, 5)
    inputs = random_inputs(4, "float64", 32)

    plain, other = (results(layer, inputs, random_states(layer, 32)) for layer in layers)

    assert_same(plain, other, 1e-11)


def assert_activation_is_the_same(name: str) -> None:
    layers = rum_pair(RUM, 5, activation=name)
    inputs = random_inputs(3, "float64", 2)
    plain, other = (results(layer, inputs) for layer in layers)
    assert_same(plain, other, 1e-11)


@pytest.mark.parametrize("name", ["gelu", "log_softmax", "leaky_relu"])
def test_activations_are_those_of_keras(name):
    assert_activation_is_the_same(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_that_of_keras(name):
    assert_activation_is_the_same(name)


def test_the_activations_tested_are_all_that_there_are():
    others = {"get", "serialize", "deserialize", "glu", "threshold"}  # the last two are none alone
    there = {name for name, f in vars(activations).items() if getattr(f, "__name__", "") == name}
    assert set(ACTIVATIONS) == there - others
