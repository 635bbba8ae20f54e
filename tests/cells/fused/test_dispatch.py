"""The fused loop of RUM and ARUM in a model: where it is taken, and what it refuses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from rumcli.cells.arum import ARUM
from rumcli.cells.fused import dispatch
from rumcli.cells.rum import RUM, RUMCell
from tests.cells.contract import FEATURES, LayerContract, random_inputs
from tests.cells.gradients import BACKEND, needs_tensorflow

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import tensorflow_custom_gradient

    from .comparison import assert_second_order_is_refused, model_with, rum_pair, traces_of

pytestmark = needs_tensorflow


@pytest.fixture
def taken(monkeypatch):
    """Return the layers that have taken the fused loop, once for each time."""
    found, run = [], dispatch.run

    def noted(layer: Any, *arguments: Any, **options: Any) -> Any:
        found.append(layer)
        return run(layer, *arguments, **options)

    monkeypatch.setattr(dispatch, "run", noted)
    return found


INPUTS, TARGETS = random_inputs(5, batch=4), np.zeros((4, 1), "float32")
WITHIN = {
    "fit": lambda layer: model_with(layer).fit(INPUTS, TARGETS, verbose=0),
    "train_on_batch": lambda layer: model_with(layer).train_on_batch(INPUTS, TARGETS),
    "predict": lambda layer: model_with(layer).predict(INPUTS, verbose=0),
    "evaluate": lambda layer: model_with(layer).evaluate(INPUTS, TARGETS, verbose=0),
    "a function": lambda layer: tf.function(layer)(tf.constant(INPUTS)),
}


def test_it_is_taken_in_mixed_precision_too(taken):
    layer = RUM(11, dtype="mixed_bfloat16")
    WITHIN["train_on_batch"](layer)
    assert set(map(id, taken)) == {id(layer)}


@pytest.mark.parametrize("call", WITHIN.values(), ids=WITHIN)
def test_it_is_taken_inside_fit_and_its_like_and_not_if_not_wanted(taken, call):
    layer, plain = RUM(11), RUM(11, implementation="plain")
    assert traces_of(lambda: call(plain)) == 0
    assert taken == []
    call(layer)
    assert set(map(id, taken)) == {id(layer)}


@pytest.mark.e2e
@pytest.mark.compiled
def test_it_is_compiled_where_it_is_taken_and_called_one_by_one_only_if_asked():
    # A size of its own for each, so that none finds a loop that another has left.
    assert traces_of(lambda: WITHIN["fit"](ARUM(12))) > 0
    assert traces_of(lambda: ARUM(13)(INPUTS)) == 0
    assert traces_of(lambda: ARUM(14, implementation="fused")(INPUTS)) > 0


def test_a_length_that_may_differ_from_call_to_call_is_left_to_the_plain_loop():
    @tf.function(input_signature=[tf.TensorSpec((None, None, FEATURES))])
    def function(inputs):
        return layer(inputs)

    layer = RUM(18)
    assert traces_of(lambda: function(random_inputs(5))) == 0


@pytest.mark.e2e
def test_a_fit_with_dropout_of_states_draws_what_the_plain_loop_draws():
    losses = {}
    for implementation in dispatch.IMPLEMENTATIONS:
        keras.utils.set_random_seed(1)
        model = model_with(RUM(6, zoneout=0.5, implementation=implementation))
        inputs = random_inputs(5, batch=16)
        history = model.fit(inputs, inputs[:, 0, :1], batch_size=8, epochs=3, verbose=0)
        losses[implementation] = history.history["loss"]
    # Six steps of two orders of the same sums, in float32.
    np.testing.assert_allclose(losses["fused"], losses["plain"], rtol=1e-5)
    assert losses["auto"] == losses["fused"]


@pytest.mark.e2e
@pytest.mark.compiled
def test_a_step_that_keras_compiles_whole_gives_the_same():
    losses = []
    for jit in (False, True):
        keras.utils.set_random_seed(1)
        model = model_with(ARUM(6, implementation="fused"))
        model.compile("sgd", "mse", jit_compile=jit)
        losses.append(float(model.train_on_batch(random_inputs(5), np.ones((3, 1)))))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.e2e
@pytest.mark.compiled
@pytest.mark.parametrize("layer_class", [RUM, pytest.param(ARUM, marks=pytest.mark.slow)])
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


def test_second_order_gradients_are_refused_in_words():
    _, layer = rum_pair(RUM, 5)
    assert_second_order_is_refused(layer)


class Doubled(RUMCell):
    def precompute_inputs(self, inputs, masks=()):
        return super().precompute_inputs(2.0 * inputs)


class OfDoubled(RUM):
    cell_class = Doubled


@pytest.mark.parametrize(
    ("layer_class", "arguments", "why"),
    [
        (RUM, {"unroll": True}, "incompatible with unroll=True"),
        (RUM, {"activation": lambda z: 2.0 * z}, "not one of keras.activations"),
        (OfDoubled, {}, "Doubled has no fused loop"),
    ],
)
def test_what_cannot_be_fused_says_why_and_is_computed_plainly(layer_class, arguments, why):
    with pytest.raises(ValueError, match=f"implementation='fused' is not available: .*{why}"):
        layer_class(5, implementation="fused", **arguments)
    layer = layer_class(5, **arguments)
    assert traces_of(lambda: tf.function(layer)(random_inputs(5))) == 0


def test_without_a_compiler_the_plain_loop_is_taken(monkeypatch):
    monkeypatch.setattr(tensorflow_custom_gradient, "has_xla", lambda: False)
    layer = RUM(19)
    assert traces_of(lambda: tf.function(layer)(random_inputs(5))) == 0
    with pytest.raises(ValueError, match="no XLA compiler for this machine"):
        RUM(19, implementation="fused")


def test_an_implementation_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="one of 'auto', 'fused', 'plain', got 'fast'"):
        RUM(5, implementation="fast")


@pytest.mark.e2e
class TestFusedARUM(LayerContract):
    """Everything that a Keras layer has to do, where it does not ask for the plain loop."""

    layer_class = ARUM
    arguments = {"implementation": "fused"}  # noqa: RUF012 - as the class it inherits has it

    test_unrolling_changes_nothing = None
    test_a_masked_step_carries_the_states = None  # `test_masks_are_those_of_the_plain_loop` is
