"""What every recurrent layer must do, whatever it computes: inherit `LayerContract` and name it.

    class TestRUM(LayerContract):
        layer_class = RUM

Outputs are compared with the layer's own, never with known values: those are in the cells' tests.
"""

from __future__ import annotations

import functools
import json
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
from keras import ops

from .gradients import (
    FLOAT_DTYPES,
    gradient_errors,
    gradients,
    needs_float64,
)

BATCH, STEPS, FEATURES, UNITS = 3, 4, 3, 5

# Two paths through the same formulas in float32, four steps of a few roundings each.
SAME = {"rtol": 0, "atol": 2e-6}


def random_inputs(
    steps: int = STEPS, dtype: str = "float32", batch: int = BATCH, seed: int = 0
) -> np.ndarray:
    """Return inputs `[B, T, D]`."""
    return np.random.default_rng(seed).standard_normal((batch, steps, FEATURES)).astype(dtype)


def random_states(layer: Any, dtype: str = "float32", batch: int = BATCH) -> list[np.ndarray]:
    """Return states of the sizes that the layer has: none of them zero, none orthogonal."""
    rng = np.random.default_rng(1)
    return [(0.5 * rng.standard_normal((batch, n))).astype(dtype) for n in layer.state_size]


def to_numpy(tensors: Any) -> Any:
    """Return one array, or a list of them."""
    if isinstance(tensors, (list, tuple)):
        return [to_numpy(tensor) for tensor in tensors]
    return ops.convert_to_numpy(tensors)


def randomized(layer: Any, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Build `layer`, move its weights away from their initial values, and return them by name.

    Initially the biases and gains are all equal, and some kernels are small.
    """
    layer.build(inputs.shape)
    rng = np.random.default_rng(5)
    for variable in layer.trainable_variables:
        value = to_numpy(variable.value)
        variable.assign(value + 0.2 * rng.standard_normal(value.shape).astype(value.dtype))
    return {variable.name: to_numpy(variable.value) for variable in layer.trainable_variables}


def with_weights_of(layer: Any, other: Any) -> Any:
    """Build `layer` and give it the trainable weights of `other`."""
    if not layer.built:
        layer.build((BATCH, STEPS, FEATURES))
    for mine, theirs in zip(layer.trainable_variables, other.trainable_variables, strict=True):
        mine.assign(theirs.value)
    return layer


def compile_model(model: Any, optimizer: Any) -> None:
    """Compile for regression, with the optimizer built: else TensorFlow traces the step twice."""
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)


def layer_gradient_errors(layer: Any, steps: int = STEPS) -> dict[str, float]:
    """Return how far the gradients of a float64 layer are from finite differences, norm-wise.

    Args:
        layer: With `return_sequences`, `return_state` and `dtype="float64"`.
        steps: Length of the inputs.

    Returns:
        The relative error for the inputs, each initial state and each weight, by name.
    """
    inputs = random_inputs(steps, "float64", batch=2)
    states = random_states(layer, "float64", batch=2)
    layer.build(inputs.shape)
    rng = np.random.default_rng(2)
    # Away from the initial values, where biases and gains are all equal.
    weights = [
        to_numpy(variable.value) + 0.1 * rng.standard_normal(variable.shape)
        for variable in layer.trainable_variables
    ]
    fixed = [variable.value for variable in layer.non_trainable_variables]
    cotangents = [rng.standard_normal((2, steps, UNITS)), *(np.cos(10 * s) for s in states)]

    def loss(x: Any, *rest: Any) -> Any:
        initial, values = list(rest[: len(states)]), rest[len(states) :]
        outputs, _ = layer.stateless_call(values, fixed, x, initial_state=initial)
        return sum(ops.sum(o * c) for o, c in zip(outputs, cotangents, strict=True))

    arguments = [inputs, *states, *weights]
    names = ["inputs", *(f"state {i}" for i in range(len(states)))]
    names += [variable.name for variable in layer.trainable_variables]
    return dict(zip(names, gradient_errors(loss, arguments), strict=True))


@functools.cache
def _whole(contract: type[LayerContract]) -> tuple[Any, list[np.ndarray]]:
    layer = contract().make(return_sequences=True, return_state=True)
    return layer, to_numpy(layer(random_inputs()))


class LayerContract:
    """The common tests of recurrent layers; a subclass names the layer and its arguments.

    `same` bounds the difference between two computations of the same outputs in float32.
    `first_state_is_output` is False for layers that compute their output from state and input.
    """

    layer_class: ClassVar[Any]
    arguments: ClassVar[dict[str, Any]] = {}
    same: ClassVar[dict[str, float]] = SAME
    first_state_is_output: ClassVar[bool] = True

    def make(self, **kwargs: Any) -> Any:
        """Return a new layer, always with the same initial weights."""
        keras.utils.set_random_seed(7)
        return self.layer_class(UNITS, **{**self.arguments, **kwargs})

    @pytest.fixture
    def whole(self) -> tuple[Any, list[np.ndarray]]:
        """A layer with its outputs and final states, which tests share and leave as they are."""
        return _whole(type(self))

    @pytest.mark.parametrize("return_state", [False, True])
    @pytest.mark.parametrize("return_sequences", [False, True])
    def test_outputs_have_the_announced_shapes(self, return_sequences, return_state):
        layer = self.make(return_sequences=return_sequences, return_state=return_state)

        found = layer(random_inputs())

        announced = layer.compute_output_shape((BATCH, STEPS, FEATURES))
        output_shape = (BATCH, STEPS, UNITS) if return_sequences else (BATCH, UNITS)
        if return_state:
            assert [tuple(part.shape) for part in found] == [tuple(s) for s in announced]
            assert tuple(found[0].shape) == output_shape
            assert [part.shape[1] for part in found[1:]] == layer.state_size
        else:
            assert tuple(found.shape) == tuple(announced) == output_shape

    def test_the_single_output_is_the_last_of_the_sequence_and_often_the_first_state(self, whole):
        layer, (sequence, state, *_) = whole

        last = to_numpy(with_weights_of(self.make(), layer)(random_inputs()))

        np.testing.assert_allclose(last, sequence[:, -1], **self.same)
        if self.first_state_is_output:
            np.testing.assert_allclose(state, sequence[:, -1], **self.same)

    def test_states_carry_all_that_later_steps_need(self, whole):
        (layer, outputs), inputs = whole, random_inputs()

        first, *states = layer(inputs[:, :2])
        second, *states = layer(inputs[:, 2:], initial_state=states)

        halves = np.concatenate([to_numpy(first), to_numpy(second)], axis=1)
        for found, expected in zip([halves, *to_numpy(states)], outputs, strict=True):
            np.testing.assert_allclose(found, expected, **self.same)

    def test_backwards_is_forwards_over_reversed_inputs(self):
        forwards = self.make(return_sequences=True)
        expected = to_numpy(forwards(random_inputs()[:, ::-1]))

        backwards = with_weights_of(self.make(return_sequences=True, go_backwards=True), forwards)

        np.testing.assert_allclose(to_numpy(backwards(random_inputs())), expected, **self.same)

    def test_unrolling_changes_nothing(self, whole):
        looped, expected = whole

        unrolled = with_weights_of(
            self.make(return_sequences=True, return_state=True, unroll=True), looped
        )

        for found, wanted in zip(to_numpy(unrolled(random_inputs())), expected, strict=True):
            np.testing.assert_allclose(found, wanted, **self.same)

    def test_a_stateful_layer_goes_on_and_starts_again_after_a_reset(self, whole):
        stateless, (expected, *_) = whole
        layer = with_weights_of(self.make(return_sequences=True, stateful=True), stateless)
        inputs = random_inputs()

        first, second = to_numpy([layer(inputs[:, :2]), layer(inputs[:, 2:])])
        layer.reset_state()
        again = to_numpy(layer(inputs[:, :2]))

        np.testing.assert_allclose(np.concatenate([first, second], axis=1), expected, **self.same)
        np.testing.assert_array_equal(again, first)

    @pytest.mark.parametrize("unroll", [False, True])
    def test_a_masked_step_carries_the_states(self, unroll):
        layer = self.make(return_sequences=True, return_state=True, unroll=unroll)
        inputs = random_inputs()
        mask = np.ones((BATCH, STEPS), bool)
        mask[1, 1] = mask[2, 2:] = False

        outputs, *states = to_numpy(layer(inputs, mask=ops.convert_to_tensor(mask)))

        np.testing.assert_array_equal(outputs[1, 1], outputs[1, 0])
        for sample in range(BATCH):
            # As if the masked steps were not there.
            kept = inputs[sample : sample + 1, mask[sample]]
            short, *short_states = to_numpy(layer(kept))
            np.testing.assert_allclose(outputs[sample, mask[sample]], short[0], **self.same)
            for found, expected in zip(states, short_states, strict=True):
                np.testing.assert_allclose(found[sample], expected[0], **self.same)

    def test_a_masked_step_outputs_zero_if_asked(self):
        plain = self.make(return_sequences=True)
        plain.build((BATCH, STEPS, FEATURES))
        layer = with_weights_of(self.make(return_sequences=True, zero_output_for_mask=True), plain)
        mask = np.ones((BATCH, STEPS), bool)
        mask[0, 1:3] = False

        outputs = to_numpy(layer(random_inputs(), mask=ops.convert_to_tensor(mask)))

        expected = to_numpy(plain(random_inputs(), mask=ops.convert_to_tensor(mask)))
        expected[0, 1:3] = 0.0
        np.testing.assert_allclose(outputs, expected, **self.same)

    def test_a_masking_layer_in_front_is_respected(self):
        inputs = random_inputs()
        inputs[:, 2:] = 0.0
        layer = self.make()
        model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.Masking(), layer])

        outputs = to_numpy(model(inputs))

        np.testing.assert_allclose(outputs, to_numpy(layer(inputs[:, :2])), **self.same)

    def test_the_configuration_makes_the_same_layer_again(self):
        layer = self.make(return_sequences=True, go_backwards=True, name="mine", dtype="float32")

        config = json.loads(json.dumps(layer.get_config()))
        again = self.layer_class.from_config(config)

        assert again.get_config() == layer.get_config()
        assert again.name == "mine"
        expected = to_numpy(layer(random_inputs()))
        found = to_numpy(with_weights_of(again, layer)(random_inputs()))
        np.testing.assert_array_equal(found, expected)

    def test_a_saved_model_loads_and_computes_the_same(self, tmp_path):
        model = keras.Sequential(
            [keras.Input((STEPS, FEATURES)), self.make(return_sequences=True), self.make()]
        )
        path = tmp_path / "model.keras"

        model.save(path)
        loaded = keras.models.load_model(path)

        found, expected = to_numpy([loaded(random_inputs()), model(random_inputs())])
        np.testing.assert_array_equal(found, expected)

    @pytest.mark.parametrize("dtype", [*FLOAT_DTYPES, "mixed_float16", "mixed_bfloat16"])
    def test_every_precision_computes_about_the_same(self, whole, dtype):
        exact, expected = whole

        layer = self.make(return_sequences=True, return_state=True, dtype=dtype)
        found = with_weights_of(layer, exact)(random_inputs())

        # Half precision rounds inputs and weights, by 2⁻¹¹ and 2⁻⁸, and four steps enlarge it, as
        # layer norm enlarges the rounding of float32 that float64 is compared with.
        tolerances = {"float64": 1e-5, "mixed_float16": 0.02, "mixed_bfloat16": 0.15}
        tolerance = tolerances.get(dtype, SAME["atol"])
        for part, wanted in zip(found, expected, strict=True):
            assert keras.backend.standardize_dtype(part.dtype) == dtype.removeprefix("mixed_")
            part = to_numpy(ops.cast(part, "float32"))
            np.testing.assert_allclose(part, wanted, rtol=0, atol=tolerance)

    def test_the_cell_in_a_plain_loop_of_keras_agrees(self, whole):
        layer, expected = whole

        plain = keras.layers.RNN(layer.cell, return_sequences=True, return_state=True)

        for found, wanted in zip(to_numpy(plain(random_inputs())), expected, strict=True):
            np.testing.assert_allclose(found, wanted, **self.same)

    def test_it_works_in_both_directions(self):
        both = keras.layers.Bidirectional(self.make(return_sequences=True))

        outputs = to_numpy(both(random_inputs()))

        forward = to_numpy(both.forward_layer(random_inputs()))
        backward = to_numpy(both.backward_layer(random_inputs()))[:, ::-1]
        expected = np.concatenate([forward, backward], axis=-1)
        np.testing.assert_allclose(outputs, expected, **self.same)

    @pytest.mark.e2e
    def test_the_number_of_steps_and_samples_may_be_open(self):
        layer = self.make(return_sequences=True)
        model = keras.Sequential([keras.Input((None, FEATURES)), layer])
        expected = to_numpy(layer(random_inputs()))

        found = model.predict(random_inputs(), verbose=0)

        assert model.output_shape == (None, None, UNITS)
        np.testing.assert_allclose(found, expected, **self.same)

    @pytest.mark.e2e
    def test_the_loss_falls_when_a_model_is_fitted(self):
        model = keras.Sequential(
            [keras.Input((STEPS, FEATURES)), self.make(), keras.layers.Dense(1)]
        )
        compile_model(model, keras.optimizers.Adam(0.02))
        inputs = random_inputs(batch=16)
        targets = inputs[:, -1].sum(axis=-1, keepdims=True)

        losses = model.fit(inputs, targets, batch_size=8, epochs=12, verbose=0).history["loss"]

        assert np.all(np.isfinite(losses))
        assert losses[-1] < 0.8 * losses[0]

    @needs_float64
    def test_gradients_are_those_of_finite_differences(self):
        layer = self.make(return_sequences=True, return_state=True, dtype="float64")

        errors = layer_gradient_errors(layer)

        # Steps of 1e-6: eps/step and step² · curvature are both below 1e-9.
        assert max(errors.values()) < 1e-7, errors

    def test_gradients_are_finite_for_inputs_and_states_of_zero(self):
        layer = self.make(return_sequences=True)
        inputs = np.zeros((2, STEPS, FEATURES), "float32")
        layer.build(inputs.shape)
        fixed = [variable.value for variable in layer.non_trainable_variables]
        weights = [to_numpy(variable.value) for variable in layer.trainable_variables]

        def loss(x: Any, *values: Any) -> Any:
            return ops.sum(ops.square(layer.stateless_call(values, fixed, x)[0] + 1.0))

        for gradient in gradients(loss, [inputs, *weights]):
            assert np.all(np.isfinite(gradient))
