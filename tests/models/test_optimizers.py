import keras
import numpy as np
import pytest

from rumcli import config
from rumcli.models import optimizers

STEPS = 100


def configured(*settings, name="adam"):
    assignments = [f"optimizer.{s}" for s in (f"name={name}", "learning_rate=0.5", *settings)]
    return config.build(None, assignments, {("task", "name"): "recall"}).optimizer


def rates(*settings):
    made = optimizers.make(configured(*settings), STEPS)
    found = []
    for step in range(STEPS):
        made.iterations.assign(step)
        found.append(float(made.learning_rate))
    return np.array(found)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
@pytest.mark.parametrize("skip", [False, True])
def test_finite_steps_match_keras_bit_exactly(name, skip):
    kinds = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}
    guarded = optimizers.make(configured(name=name), STEPS, skip_bad_steps=skip)
    found = []
    for one in (guarded, kinds[name](0.5)):
        weights = [keras.Variable(np.ones(3)), keras.Variable(np.ones((2, 2)))]
        generator = np.random.default_rng(1)
        for _ in range(3):
            gradients = [
                keras.ops.convert_to_tensor(generator.normal(size=w.shape), w.dtype)
                for w in weights
            ]
            one.apply(gradients, weights)
        found.append([keras.ops.convert_to_numpy(weight) for weight in weights])
        norms = [np.linalg.norm(keras.ops.convert_to_numpy(g)) for g in gradients]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    assert keras.ops.convert_to_numpy(guarded.gradient_norms) == pytest.approx(norms)


def test_rmsprop_of_tensorflow_1_starts_with_a_mean_square_of_one():
    # Given the settings of TensorFlow 1's RMSProp, in which ε is inside the root,
    settings = configured("rho=0.9", "epsilon=1e-10", "initial_mean_square=1", name="rmsprop")
    made, weight = optimizers.make(settings, STEPS), keras.Variable(np.zeros(3), dtype="float64")
    expected, mean_square = np.zeros(3), np.ones(3)
    # when it takes three steps,
    for gradient in np.random.default_rng(1).normal(size=(3, 3)):
        made.apply([keras.ops.convert_to_tensor(gradient, "float64")], [weight])
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        expected -= 0.5 * gradient / np.sqrt(mean_square + 1e-10)
    # then they are those of its formula, to the rounding of float64.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(weight), expected, rtol=1e-13)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_non_finite_gradient_changes_neither_weights_nor_moments(bad):
    made = optimizers.make(configured(), STEPS, skip_bad_steps=True)
    weight = keras.Variable(np.ones(3))
    good = keras.ops.ones(3)
    made.apply([good], [weight])
    before = [np.array(v) for v in (weight, *made.variables) if "norms" not in v.name]
    made.apply([good * bad], [weight])
    after = [np.array(v) for v in (weight, *made.variables) if "norms" not in v.name]
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_non_finite_loss_makes_the_gradient_non_finite(loss):
    made = optimizers.make(configured(), STEPS)
    scaled = made.scale_loss(keras.ops.convert_to_tensor(loss, "float32"))
    assert np.isnan(float(scaled))
    assert float(made.scale_loss(keras.ops.convert_to_tensor(2.5, "float32"))) == 2.5


def test_a_constant_rate_is_a_variable_that_callbacks_can_set():
    made = optimizers.make(configured("schedule.name=constant"), STEPS)
    made.learning_rate = 0.25
    assert float(made.learning_rate) == 0.25


def test_rate_drops_once_after_its_fraction_of_the_run():
    found = rates("schedule.name=drop", "schedule.factor=0.1", "schedule.decay_at=0.9")
    assert found[:90] == pytest.approx(0.5)
    assert found[90:] == pytest.approx(0.05)


def test_a_cosine_falls_from_the_rate_to_its_final_share():
    found = rates("schedule.name=cosine", "schedule.final_fraction=0.2")
    assert found[0] == pytest.approx(0.5)
    assert found[50] == pytest.approx(0.5 * (0.2 + 0.8 / 2))
    assert 0.1 <= found[-1] < 0.101
    assert (np.diff(found) < 0).all()


def test_a_warm_up_rises_in_a_straight_line_to_the_rate():
    found = rates("schedule.name=cosine", "schedule.warmup_steps=20")
    assert found[:21] == pytest.approx(0.5 * np.arange(21) / 20)
    assert (np.diff(found[20:]) < 0).all()
    assert found[-1] < 0.001


@pytest.mark.parametrize(
    ("name", "more"),
    [*((name, ()) for name in config.names("optimizer")), ("rmsprop", ("initial_mean_square=1",))],
)
@pytest.mark.parametrize("clip_norm", ["1.0", "null"])
def test_mean_loss_is_optimized_as_the_sum(name, more, clip_norm):
    # Given gradients of a mean over ten terms, some of them near epsilon,
    terms, epsilon_like = 10, np.array([3.0, -2.0, 1e-7, 1e-4], "float32")
    settings = configured(f"clip_norm={clip_norm}", *more, name=name)
    # when one optimizer is given the number of terms, and another the gradients of the sum,
    of_mean, of_sum = optimizers.make(settings, STEPS, terms), optimizers.make(settings, STEPS)
    one, other = keras.Variable(np.ones(4, "float32")), keras.Variable(np.ones(4, "float32"))
    for scale in (1.0, 0.3, 2.0):
        of_mean.apply([keras.ops.convert_to_tensor(scale * epsilon_like)], [one])
        of_sum.apply([keras.ops.convert_to_tensor(terms * scale * epsilon_like)], [other])
    # then they go the same way, to the rounding of float32.
    moved = np.array(one) - 1
    np.testing.assert_allclose(moved, np.array(other) - 1, rtol=1e-4)
    assert np.abs(moved).max() > 0.01
