"""RUM, λ = 0, and what ARUM shares: options, initial weights, zoneout, NumPy by the book."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.arum import ARUM, ARUMCell
from rumcli.cells.rum import RUM, RUMCell

from . import reference
from .contract import (
    FEATURES,
    UNITS,
    compile_model,
    layer_gradient_errors,
    random_inputs,
    random_states,
    randomized,
    to_numpy,
)
from .gradients import BACKEND, float64_is_available, needs_float64

OPTIONS = {
    "plain": {},
    "tanh": {"activation": "tanh"},
    "time norm": {"time_norm": 0.7},
    "layer norm before the sigmoid": {"layer_norm": True},
    "layer norm after the sigmoid": {"layer_norm": True, "layer_norm_order": "after_sigmoid"},
    "no update gate": {"update_gate": False},
    "no update gate, layer norm": {"update_gate": False, "layer_norm": True},
    "zoneout": {"zoneout": 0.3},
    "all": {
        "activation": "tanh",
        "time_norm": 1.0,
        "layer_norm": True,
        "layer_norm_order": "after_sigmoid",
        "zoneout": 0.1,
    },
}

both_layers = pytest.mark.parametrize("layer_class", [RUM, ARUM])
# `keras.ops.tanh` computes in float32 on JAX, also where its input is float64.
TANH_IS_EXACT = BACKEND != "jax"

all_options = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@both_layers
@all_options
def test_outputs_and_states_are_those_of_numpy_by_the_book(layer_class, options):
    dtype = "float64" if float64_is_available() else "float32"
    # Both float64, six steps; or the layer float32, where rotations enlarge rounding.
    tolerance = 1e-11 if dtype == "float64" else 2e-5
    if options.get("activation") == "tanh" and not TANH_IS_EXACT:
        tolerance = 2e-5
    layer = layer_class(UNITS, return_sequences=True, return_state=True, dtype=dtype, **options)
    inputs = random_inputs(6, dtype)
    weights = randomized(layer, inputs)
    states = random_states(layer, dtype)

    outputs, *final = to_numpy(
        layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states])
    )

    expected, expected_final = reference.run(
        layer_class.__name__, weights, inputs, states, **options
    )
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=tolerance)
    for found, wanted in zip(final, expected_final, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance)


@both_layers
def test_without_initial_states_it_starts_from_an_empty_memory(layer_class):
    layer = layer_class(UNITS, return_sequences=True, dtype="float32")
    inputs = random_inputs(4)
    weights = randomized(layer, inputs)

    expected, _ = reference.run(layer_class.__name__, weights, inputs)

    # Four float32 steps.
    np.testing.assert_allclose(to_numpy(layer(inputs)), expected, rtol=0, atol=1e-5)


@both_layers
def test_candidate_bias_starts_at_zero_and_is_added_to_the_embedded_input(layer_class):
    layer = layer_class(UNITS, return_sequences=True, candidate_bias=True, dtype="float32")
    inputs = random_inputs(4)
    layer.build(inputs.shape)
    np.testing.assert_array_equal(to_numpy(layer.cell.candidate_bias.value), np.zeros(UNITS))
    weights = randomized(layer, inputs)

    expected, _ = reference.run(layer_class.__name__, weights, inputs)

    assert weights["candidate_bias"].any()  # randomized
    np.testing.assert_allclose(to_numpy(layer(inputs)), expected, rtol=0, atol=1e-5)


@needs_float64
@pytest.mark.parametrize(
    ("layer_class", "options"),
    [
        pytest.param(
            layer_class,
            options,
            # ARUM differs from RUM in its memory, which these options do not touch.
            marks=[pytest.mark.slow] * (layer_class is ARUM and name not in ("plain", "all")),
            id=f"{name}-{layer_class.__name__}",
        )
        for layer_class in (RUM, ARUM)
        for name, options in OPTIONS.items()
    ],
)
def test_gradients_are_those_of_finite_differences_with_every_option(layer_class, options):
    if options.get("activation") == "tanh" and not TANH_IS_EXACT:
        pytest.skip("tanh in float64 is not exact on this backend: no finite differences")
    keras.utils.set_random_seed(3)
    layer = layer_class(UNITS, return_sequences=True, return_state=True, dtype="float64", **options)

    errors = layer_gradient_errors(layer, steps=3)

    # Steps of 1e-6: eps/step and step² · curvature are both below 1e-9.
    assert max(errors.values()) < 1e-7, errors


@both_layers
def test_the_initial_weights_are_the_published_ones(layer_class):
    layer = layer_class(UNITS)
    layer.build((None, None, FEATURES))
    weights = {variable.name: to_numpy(variable.value) for variable in layer.trainable_variables}

    np.testing.assert_array_equal(weights["gate_bias"], np.ones(2 * UNITS))
    # Rows are fewer than columns in the one, more in the others.
    candidate = weights["candidate_kernel"]
    np.testing.assert_allclose(candidate @ candidate.T, np.eye(FEATURES), atol=1e-6)
    target, update = np.split(weights["gate_kernel"], 2, axis=1)
    for half in (target, update):
        np.testing.assert_allclose(half.T @ half, np.eye(UNITS), atol=1e-6)
    assert np.abs(target - update).max() > 0.1
    assert set(weights) == {"gate_kernel", "gate_bias", "candidate_kernel"}


@pytest.mark.parametrize(
    "options", [{}, {"update_gate": False}, {"candidate_bias": True, "bias_initializer": "ones"}]
)
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_identity_start_makes_every_rotation_the_identity(layer_class, options):
    layer = layer_class(UNITS, initial_rotation="identity", **options)
    cell, inputs = layer.cell, random_inputs(steps=2)
    layer.build(inputs.shape)
    embedded = inputs @ to_numpy(cell.candidate_kernel)
    state = np.random.default_rng(3).standard_normal((*inputs.shape[:2], UNITS))
    gates = np.concatenate([inputs, state], axis=-1) @ to_numpy(cell.gate_kernel)
    target = (gates + to_numpy(cell.gate_bias))[..., :UNITS]
    np.testing.assert_allclose(target, 10 * embedded, rtol=1e-5, atol=1e-6)
    if cell.candidate_bias is not None:
        np.testing.assert_array_equal(cell.candidate_bias, np.zeros(UNITS))
    if cell.update_gate:  # starts as without the option
        np.testing.assert_array_equal(to_numpy(cell.gate_bias)[UNITS:], np.ones(UNITS))
        assert np.abs(to_numpy(cell.gate_kernel)[:, UNITS:]).min() > 0


@both_layers
def test_frozen_rotation_is_computed_alike_and_has_no_trainable_weights(layer_class):
    inputs = random_inputs(4)
    layers, outputs = [], []
    for trainable in (True, False):
        keras.utils.set_random_seed(5)
        layers.append(layer_class(UNITS, trainable_rotation=trainable, layer_norm=True))
        outputs.append(to_numpy(layers[-1](inputs)))

    np.testing.assert_array_equal(*outputs)
    trained = [{weight.name for weight in layer.trainable_weights} for layer in layers]
    assert trained[0] - trained[1] == {"gate_kernel", "gate_bias"}
    assert len(layers[1].weights) == len(layers[0].weights)


def test_without_update_gate_the_gate_weights_are_half_as_many():
    layer = RUM(UNITS, update_gate=False)
    layer.build((None, None, FEATURES))

    shapes = {variable.name: tuple(variable.shape) for variable in layer.trainable_variables}

    assert shapes["gate_kernel"] == (FEATURES + UNITS, UNITS)
    assert shapes["gate_bias"] == (UNITS,)


@both_layers
def test_all_arguments_survive_the_configuration(layer_class):
    arguments = {**OPTIONS["all"], "activation": "softsign", "update_gate": False, "seed": 4}
    arguments |= {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}

    again = layer_class.from_config(layer_class(UNITS, **arguments).get_config())

    cell = again.cell
    for name in ("time_norm", "layer_norm", "layer_norm_order", "zoneout", "update_gate", "seed"):
        assert getattr(cell, name) == arguments[name]
    assert cell.activation is keras.activations.softsign
    assert isinstance(cell.kernel_initializer, keras.initializers.GlorotUniform)
    assert isinstance(cell.bias_initializer, keras.initializers.Zeros)


@pytest.mark.parametrize("cell_class", [RUMCell, ARUMCell])
def test_a_cell_survives_its_configuration_inside_a_plain_loop(cell_class):
    loop = keras.layers.RNN(cell_class(UNITS, time_norm=2.0, zoneout=0.1))

    again = keras.layers.RNN.from_config(loop.get_config())

    assert type(again.cell) is cell_class
    assert again.cell.get_config() == loop.cell.get_config()


@both_layers
@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("units", 0),
        ("units", 2.5),
        ("time_norm", 0.0),
        ("time_norm", -1.0),
        ("time_norm", float("inf")),
        ("time_norm", float("nan")),
        ("layer_norm_order", "sideways"),
        ("zoneout", 1.0),
        ("zoneout", -0.1),
    ],
)
def test_an_argument_out_of_its_range_is_refused_by_name(layer_class, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be"):
        layer_class(**{"units": UNITS, argument: value})


@both_layers
def test_the_time_norm_fixes_the_length_of_every_state(layer_class):
    layer = layer_class(UNITS, activation="tanh", time_norm=3.0, return_sequences=True)

    lengths = np.linalg.norm(to_numpy(layer(random_inputs(6))), axis=-1)

    np.testing.assert_allclose(lengths, 3.0, rtol=1e-6)  # float32 rounding


# Zoneout. Tanh and a single step: a new value is never equal to the previous one by accident.


def one_step(layer, inputs, states):
    return to_numpy(
        layer(inputs, initial_state=[ops.convert_to_tensor(s) for s in states], training=True)
    )


@both_layers
def test_in_training_each_unit_keeps_its_value_with_the_given_probability(layer_class):
    units, batch, zoneout = 20, 200, 0.3
    layer = layer_class(units, activation="tanh", zoneout=zoneout, seed=0)
    plain = layer_class(units, activation="tanh")
    inputs = random_inputs(1, batch=batch)
    plain.build(inputs.shape)
    states = random_states(layer, batch=batch)
    layer.build(inputs.shape)
    layer.cell.set_weights([*plain.cell.get_weights(), *layer.cell.get_weights()[3:]])

    found, new = one_step(layer, inputs, states), one_step(plain, inputs, states)

    # `h + share · (new − h)` with a share of 1 rounds once more than `new`.
    kept, taken = np.isclose(found, states[0], atol=1e-7), np.isclose(found, new, atol=1e-6)
    assert np.all(kept | taken)
    # Of 4,000 units: the standard deviation of the share is 0.0072, five of them 0.036.
    assert abs(kept.mean() - zoneout) < 0.036


def kept_units(layer, inputs, training=True):
    """Return, per step after the first, which units kept their value: `[B, T − 1, H]`."""
    outputs = to_numpy(layer(inputs, training=training))
    return outputs[:, 1:] == outputs[:, :-1]


def zoneout_layer(layer_class, **kwargs):
    return layer_class(
        16, activation="tanh", zoneout=0.5, return_sequences=True, dtype="float32", **kwargs
    )


@both_layers
def test_masks_differ_between_steps_samples_and_calls(layer_class):
    layer = zoneout_layer(layer_class, seed=0)
    inputs = random_inputs(6)

    first, second = kept_units(layer, inputs), kept_units(layer, inputs)

    # Of 256 and more pairs of fair coins half agree; equal masks would agree in all.
    assert 0.2 < np.mean(first[:, 1:] == first[:, :-1]) < 0.8
    assert 0.2 < np.mean(first[1:] == first[:-1]) < 0.8
    assert 0.2 < np.mean(first == second) < 0.8


@both_layers
def test_without_training_nothing_is_drawn(layer_class):
    layer = zoneout_layer(layer_class, seed=0)

    first, second = to_numpy([layer(random_inputs()), layer(random_inputs())])

    np.testing.assert_array_equal(first, second)
    assert not kept_units(layer, random_inputs(), training=False).any()


@both_layers
def test_the_same_seed_gives_the_same_masks(layer_class):
    inputs = random_inputs(6)

    masks = [kept_units(zoneout_layer(layer_class, seed=seed), inputs) for seed in (3, 3, 4)]

    np.testing.assert_array_equal(masks[0], masks[1])
    assert np.any(masks[0] != masks[2])


@both_layers
def test_the_global_seed_makes_masks_repeatable(layer_class):
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        outputs.append(to_numpy(zoneout_layer(layer_class)(random_inputs(), training=True)))

    np.testing.assert_array_equal(outputs[0], outputs[1])


@pytest.mark.parametrize("layer_class", [RUM, pytest.param(ARUM, marks=pytest.mark.slow)])
def test_models_with_zoneout_train(layer_class):
    model = keras.Sequential([keras.Input((4, FEATURES)), zoneout_layer(layer_class, seed=0)])
    compile_model(model, keras.optimizers.Adam())
    inputs = random_inputs(batch=8)

    history = model.fit(inputs, np.zeros((8, 4, 16)), epochs=2, verbose=0).history

    assert np.all(np.isfinite(history["loss"]))


@pytest.mark.parametrize("cell_class", [RUMCell, ARUMCell])
def test_a_bare_cell_draws_anew_at_each_step_or_says_that_it_cannot(cell_class):
    cell = cell_class(16, activation="tanh", zoneout=0.5, seed=0)
    loop = keras.layers.RNN(cell, return_sequences=True)

    if BACKEND == "jax":
        with pytest.raises(ValueError, match="use the layer"):
            loop(random_inputs(6), training=True)
    else:
        kept = kept_units(loop, random_inputs(6))
        assert 0.2 < np.mean(kept[:, 1:] == kept[:, :-1]) < 0.8
