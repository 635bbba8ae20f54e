"""The fused loop: the same results as the plain one, where it is taken, and what it refuses."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import activations

from rumcli.cells import fused
from rumcli.cells.arum import ARUM
from rumcli.cells.rum import RUM, RUMCell

from .contract import FEATURES, LayerContract, random_inputs, to_numpy
from .gradients import BACKEND, needs_tensorflow, relative_error

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.kernels import program

    from .fusing import (
        assert_same,
        errors,
        in_a_process_of_its_own,
        model_with,
        results,
        traces_of,
    )

pytestmark = needs_tensorflow

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
    "candidate bias": {"bias_initializer": "ones", "activation": "softmax"},
    "backwards": {"go_backwards": True, "zoneout": 0.3},
}
STEPS, BATCHES, UNITS = (1, 2, 17, 200), (1, 3, 128), (7, 8)
# Each option with both layers, and among them every T, B and H with each layer.
SAMPLE = [
    (layer, option, STEPS[n % 4], BATCHES[(n + n // 3) % 3], UNITS[(n + n // 4) % 2])
    for layer in (RUM, ARUM)
    for n, option in enumerate(OPTIONS)
]


ACTIVATIONS = (
    *("celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu"),
    *("relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign"),
    *("sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink"),
)


def pair(
    layer_class: Any,
    units: int,
    features: int = FEATURES,
    batch: int | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Return a plain and a fused layer with the same weights.

    Biases and gains are away from their initial values, which are all equal. Kernels are not: with
    larger ones some of the options make chaos of rounding errors within two hundred steps.
    """
    options = {"return_sequences": True, "return_state": True, "dtype": "float64", **options}
    keras.utils.set_random_seed(3)
    plain, other = (
        layer_class(units, implementation=implementation, seed=5, **options)
        for implementation in ("plain", "fused")
    )
    for layer in (plain, other):
        layer.build((batch, None, features))
    rng = np.random.default_rng(4)
    for one, another in zip(plain.trainable_variables, other.trainable_variables, strict=True):
        value = to_numpy(one.value)
        if value.ndim == 1:
            value = value + 0.1 * rng.standard_normal(value.shape)
        one.assign(value)
        another.assign(value)
    return plain, other


def random_states(layer: Any, batch: int, dtype: str = "float64") -> list[np.ndarray]:
    """Return states of which no memory is orthogonal, but none makes the state grow either."""
    rng = np.random.default_rng(7)
    scale = 0.5 / np.sqrt(layer.cell.units)
    return [(scale * rng.standard_normal((batch, n))).astype(dtype) for n in layer.state_size]


def assert_same_in_float64(layer_class: Any, option: str, steps: int, batch: int, units: int):
    layers = pair(layer_class, units, **OPTIONS[option])
    inputs = random_inputs(steps, "float64", batch)
    # Half of the cases begin with an empty memory, which takes a path of its own.
    states = random_states(layers[0], batch) if (steps + batch) % 2 else None
    plain, other = (results(layer, inputs, states, training=True) for layer in layers)
    # Two orders of the same sums in float64; rounding grows with the number of steps.
    bounds = [1e-9] * len(errors(plain, other))
    if max(errors(plain, other)) >= 1e-9:
        # Some of the long sequences are chaotic: there the plain loop does not even agree with
        # itself once its inputs are changed by one rounding, and no other order of sums can.
        again, _ = pair(layer_class, units, **OPTIONS[option])  # which draws the same once more
        nudged = results(again, np.nextafter(inputs, np.inf), states, training=True)
        bounds = [max(1e-9, 100 * error) for error in errors(plain, nudged)]
    assert all(np.less(errors(plain, other), bounds))


@pytest.mark.parametrize(("layer_class", "option", "steps", "batch", "units"), SAMPLE)
def test_outputs_and_gradients_are_those_of_the_plain_loop(
    layer_class, option, steps, batch, units
):
    assert_same_in_float64(layer_class, option, steps, batch, units)


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_outputs_and_gradients_are_those_of_the_plain_loop_in_every_combination(
    layer_class, option
):
    cases = itertools.product([layer_class], [option], STEPS, BATCHES, UNITS)
    in_a_process_of_its_own(assert_same_in_float64, cases)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
@pytest.mark.parametrize("options", [{}, {"zero_output_for_mask": True}, {"go_backwards": True}])
def test_masks_are_those_of_the_plain_loop(layer_class, options):
    layers = pair(layer_class, 5, zoneout=0.2, **options)
    inputs = random_inputs(6, "float64", 4)
    mask = np.ones((4, 6), bool)
    mask[1, 2:4] = mask[2, :3] = mask[2, 5] = False  # within, before and after the real steps
    mask[3] = False

    plain, other = (
        results(layer, inputs, random_states(layer, 4), mask=tf.constant(mask), training=True)
        for layer in layers
    )

    assert_same(plain, other, 1e-11)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_a_single_output_is_that_of_the_plain_loop(layer_class, masked):
    layers = pair(layer_class, 5, return_sequences=False, return_state=False)
    inputs = random_inputs(6, "float64", 3)
    mask = np.array([[True] * 6, [True, False, True, True, False, False], [False] * 6])
    call = {"mask": tf.constant(mask)} if masked else {}

    plain, other = (results(layer, inputs, **call) for layer in layers)

    assert_same(plain, other, 1e-11)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_a_stateful_layer_goes_on_as_the_plain_loop_does(layer_class):
    layers = pair(layer_class, 5, stateful=True, return_state=False, batch=3)
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


def assert_activation_is_the_same(name: str) -> None:
    layers = pair(RUM, 5, activation=name)
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


def along(layer: Any, factor: float) -> Any:
    """Make the target memory of a layer `factor` times its embedded input."""
    units = layer.cell.units
    kernel = np.zeros(layer.cell.gate_kernel.shape)
    kernel[:-units, :units] = factor * to_numpy(layer.cell.candidate_kernel.value)
    layer.cell.gate_kernel.assign(kernel)
    layer.cell.gate_bias.assign(np.zeros(layer.cell.gate_bias.shape))
    return layer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_inputs_without_a_plane_of_rotation_are_those_of_the_plain_loop(layer_class, dtype):
    # Not ReLU: where nothing turns its argument is zero, and rounding chooses the slope.
    layers = pair(layer_class, 6, features=6, dtype=dtype, time_norm=1.0, activation="tanh")
    inputs = np.random.default_rng(1).standard_normal((4, 5, 6)).astype(dtype)
    # Sample 0 has no direction at all, sample 1 none at two of its steps.
    inputs[0] = inputs[1, 2:4] = 0.0
    for factor in (1.0, 0.0):  # the same direction; none
        plain, other = (results(along(layer, factor), inputs) for layer in layers)
        # Of entries of about one, over five steps.
        assert_same(plain, other, 1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_opposite_directions_turn_as_they_should(layer_class, dtype):
    # Which plane they turn in is for rounding to say, so that there is no one right result.
    _, layer = pair(layer_class, 6, features=6, dtype=dtype, activation="linear", update_gate=False)
    inputs = np.random.default_rng(1).standard_normal((4, 5, 6)).astype(dtype)

    (outputs, *_), gradients = results(along(layer, -1.0), inputs)

    embedded = to_numpy(inputs @ layer.cell.candidate_kernel.value).astype("float64")
    before = np.concatenate([np.zeros((4, 1, 6)), outputs[:, :-1]], axis=1).astype("float64")
    recalled = np.linalg.norm(outputs - embedded, axis=-1)
    # Sums of six entries, a few times over.
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(recalled, np.linalg.norm(before, axis=-1), atol=tolerance)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


@pytest.mark.parametrize("magnitude", [1e-18, 1e18])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
@pytest.mark.parametrize("options", [{"time_norm": 1.0}, {"layer_norm": True, "time_norm": 1.0}])
def test_huge_and_tiny_inputs_give_finite_outputs_and_gradients(layer_class, magnitude, options):
    _, layer = pair(layer_class, 6, dtype="float32", **options)
    inputs = (magnitude * random_inputs(5, "float64", 4)).astype("float32")

    outputs, gradients = results(layer, inputs)

    for array in (*outputs, *gradients):
        assert np.all(np.isfinite(array))


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_gradients_over_a_thousand_steps_are_those_of_float64(layer_class):
    options = {"time_norm": 1.0, "features": 10, "return_state": False}
    _, exact = pair(layer_class, 100, **options)
    _, layer = pair(layer_class, 100, dtype="float32", **options)
    for one, other in zip(layer.trainable_variables, exact.trainable_variables, strict=True):
        one.assign(to_numpy(other.value))
    inputs = np.random.default_rng(2).standard_normal((2, 1000, 10))

    expected = results(exact, inputs)
    found = results(layer, inputs.astype("float32"))

    assert_same(expected, found, 1e-3)


@pytest.mark.parametrize("steps", [1_000, 10_000])
def test_the_memory_stays_orthogonal(steps):
    _, layer = pair(ARUM, 100, dtype="float32", time_norm=1.0, return_sequences=False)
    inputs = random_inputs(steps, "float32", 2)

    memory = to_numpy(layer(inputs)[2]).astype("float64").reshape(2, 100, 100)

    gram = np.swapaxes(memory, 1, 2) @ memory
    assert np.abs(gram - np.eye(100)).max() < 1e-3


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_it_is_taken_inside_fit_and_its_like_and_not_elsewhere(layer_class):
    inputs, targets = random_inputs(5, batch=4), np.zeros((4, 1), "float32")
    # A size of its own for each, so that none finds a loop that another has left.
    calls = {
        11: lambda layer: model_with(layer).fit(inputs, targets, verbose=0),
        12: lambda layer: model_with(layer).train_on_batch(inputs, targets),
        13: lambda layer: model_with(layer).predict(inputs, verbose=0),
        14: lambda layer: model_with(layer).evaluate(inputs, targets, verbose=0),
        15: lambda layer: tf.function(layer)(tf.constant(inputs)),
    }
    for units, call in calls.items():
        assert traces_of(lambda call=call, units=units: call(layer_class(units))) > 0, units
        plain = layer_class(units, implementation="plain")
        assert traces_of(lambda call=call, plain=plain: call(plain)) == 0, units

    assert traces_of(lambda: layer_class(16)(inputs)) == 0
    assert traces_of(lambda: layer_class(17, implementation="fused")(inputs)) > 0


def test_a_length_that_may_differ_from_call_to_call_is_left_to_the_plain_loop():
    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def function(inputs):
        return layer(inputs)

    layer = RUM(18)
    assert traces_of(lambda: function(random_inputs(5))) == 0


@pytest.mark.parametrize("batch", [64, 65, 1])
def test_shards_of_samples_change_nothing(batch, monkeypatch):
    monkeypatch.setattr(program, "_cores", lambda: 2)
    plain, layer = pair(ARUM, 5)
    inputs = random_inputs(4, "float64", batch)

    @tf.function(input_signature=[tf.TensorSpec((None, 4, FEATURES), tf.float64)])
    def function(inputs):  # decides when it runs
        return layer(inputs)

    expected = to_numpy(plain(inputs))
    for outputs in (layer(inputs), function(inputs)):
        for one, other in zip(to_numpy(outputs), expected, strict=True):
            assert relative_error(one, other) < 1e-11


def test_a_fit_with_dropout_of_states_draws_what_the_plain_loop_draws():
    losses = {}
    for implementation in fused.IMPLEMENTATIONS:
        keras.utils.set_random_seed(1)
        model = model_with(RUM(6, zoneout=0.5, implementation=implementation))
        inputs = random_inputs(5, batch=16)
        history = model.fit(inputs, inputs[:, 0, :1], batch_size=8, epochs=3, verbose=0)
        losses[implementation] = history.history["loss"]
    # Six steps of two orders of the same sums, in float32.
    np.testing.assert_allclose(losses["fused"], losses["plain"], rtol=1e-5)
    assert losses["auto"] == losses["fused"]


def test_a_step_that_keras_compiles_whole_gives_the_same():
    losses = []
    for jit in (False, True):
        keras.utils.set_random_seed(1)
        model = model_with(ARUM(6, implementation="fused"))
        model.compile("sgd", "mse", jit_compile=jit)
        losses.append(float(model.train_on_batch(random_inputs(5), np.ones((3, 1)))))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_second_order_gradients_are_refused_in_words():
    _, layer = pair(RUM, 5)
    inputs = tf.constant(random_inputs(4, "float64"))
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            outputs = tf.reduce_sum(layer(inputs)[0] ** 2)
        gradient = inner.gradient(outputs, inputs)
    with pytest.raises(NotImplementedError, match="implementation='plain'"):
        outer.gradient(gradient, inputs)


class Doubled(RUMCell):
    def project(self, inputs, draws=()):
        return super().project(2.0 * inputs)


class OfDoubled(RUM):
    cell_class = Doubled


@pytest.mark.parametrize(
    ("layer_class", "arguments", "why"),
    [
        (RUM, {"unroll": True}, "unroll=True asks for no loop"),
        (ARUM, {"dtype": "mixed_bfloat16"}, "float32 or float64, not in bfloat16"),
        (RUM, {"activation": lambda z: 2.0 * z}, "not one of keras.activations"),
        (OfDoubled, {}, "there is none for Doubled"),
    ],
)
def test_what_cannot_be_fused_says_why_and_is_computed_plainly(layer_class, arguments, why):
    with pytest.raises(ValueError, match=f"implementation='fused' can't be: .*{why}"):
        layer_class(5, implementation="fused", **arguments)
    layer = layer_class(5, **arguments)
    assert traces_of(lambda: tf.function(layer)(random_inputs(5))) == 0


def test_without_a_compiler_the_plain_loop_is_taken(monkeypatch):
    monkeypatch.setattr(program, "xla_is_there", lambda: False)
    layer = RUM(19)
    assert traces_of(lambda: tf.function(layer)(random_inputs(5))) == 0
    with pytest.raises(ValueError, match="no XLA compiler for this machine"):
        RUM(19, implementation="fused")


def test_an_implementation_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="one of 'auto', 'fused', 'plain', got 'fast'"):
        RUM(5, implementation="fast")


class TestFusedARUM(LayerContract):
    """Everything that a Keras layer has to do, where it does not ask for the plain loop."""

    layer_class = ARUM
    arguments = {"implementation": "fused"}  # noqa: RUF012 - as the class it inherits has it

    test_unrolling_changes_nothing = None
    test_every_precision_computes_about_the_same = None
    test_a_masked_step_carries_the_states = None  # `test_masks_are_those_of_the_plain_loop` is


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_gradients_within_a_branch_are_those_outside_of_it(layer_class):
    keras.utils.set_random_seed(1)
    layer = layer_class(6)
    inputs = tf.constant(random_inputs(steps=9))
    layer.build(inputs.shape)

    @tf.function(autograph=False)
    def in_a_branch(branch, inputs):
        lengths = (3, 9)
        with tf.GradientTape() as tape:
            branches = [lambda length=length: layer(inputs[:, -length:]) for length in lengths]
            loss = tf.reduce_sum(tf.switch_case(branch, branches) ** 2)
        return tape.gradient(loss, [weight.value for weight in layer.trainable_variables])

    @tf.function(autograph=False)
    def outside(inputs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs) ** 2)
        return tape.gradient(loss, [weight.value for weight in layer.trainable_variables])

    for branch, length in enumerate((3, 9)):
        found, expected = in_a_branch(tf.constant(branch), inputs), outside(inputs[:, -length:])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
