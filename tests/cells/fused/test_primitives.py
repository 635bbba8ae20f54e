"""The formulas on vectors: against NumPy, and their gradients against TensorFlow's own.

The two ways to recall, against matrices, and their gradients against TensorFlow's own.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cells.gradients import BACKEND, needs_tensorflow

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import primitives
    from rumcli.cells.fused.layout import COLUMNS

pytestmark = needs_tensorflow

RANDOM = np.random.default_rng(0)

HEIGHT, BATCH = 7, 4


def draw(*shape):
    return tf.constant(RANDOM.standard_normal(shape or (HEIGHT, BATCH)))


def forwards():
    """Return statistics that compute whatever they are asked for."""
    return primitives.RecomputeCache(COLUMNS, [])


def gradient_of(function, x, cotangent):
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = function(x)
    return tape.gradient(result, x, cotangent).numpy()


@given(exponent=st.integers(-28, 36), seed=st.integers(0, 2**31))
@settings(max_examples=60, deadline=None)
def test_the_inverse_length_is_right_for_any_magnitude(exponent, seed):
    x = np.random.default_rng(seed).standard_normal((HEIGHT, BATCH)) * 10.0**exponent
    found = primitives.inverse_length(COLUMNS, tf.constant(x, tf.float32)).numpy().astype("float64")
    # A few float32 roundings.
    np.testing.assert_allclose(found[0] * np.linalg.norm(x, axis=0), 1.0, rtol=2e-6)


def test_nothing_has_no_length():
    assert not primitives.inverse_length(COLUMNS, tf.zeros((HEIGHT, BATCH))).numpy().any()


def test_a_statistic_is_computed_once_and_then_looked_up():
    first = primitives.RecomputeCache(COLUMNS, ["one", "two"])
    one = first("one", lambda: tf.constant([[1.0, 2.0]]))
    first("two", lambda: 3.0 * one)
    again = primitives.RecomputeCache(COLUMNS, ["one", "two"], first.joined())
    np.testing.assert_array_equal(again("two", lambda: pytest.fail("computed")), [[3.0, 6.0]])


def test_the_sum_of_directions_is_perpendicular_to_their_difference():
    a, b = (x / np.linalg.norm(x, axis=0) for x in (draw().numpy(), draw().numpy()))
    b[:, 0], b[:, 1] = -a[:, 0], 0.0  # opposed; without a direction
    a[:, 2] = 0.0
    summed, inverse = primitives.sum_of_directions(
        COLUMNS, tf.constant(a), tf.constant(b), (a * a).sum(axis=0) > 0.5, forwards()
    )
    summed, inverse = summed.numpy(), inverse.numpy()[0]
    assert inverse[0] == inverse[2] == 0.0  # there is no bisector
    np.testing.assert_allclose(np.linalg.norm(summed[:, [1, 3]], axis=0) * inverse[[1, 3]], 1.0)
    np.testing.assert_allclose(summed[:, 1] * inverse[1], a[:, 1])
    assert abs(summed[:, 3] @ (a - b)[:, 3]) < 1e-15


def test_normalisation_and_its_gradient():
    x, cotangent = draw(), draw()
    normalized, inverse = primitives.normalize(COLUMNS, x, "x", forwards())
    values = x.numpy()
    expected = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-3)
    np.testing.assert_allclose(normalized, expected, rtol=1e-12)
    np.testing.assert_allclose(
        primitives.normalize_backward(COLUMNS, normalized, inverse, cotangent),
        gradient_of(lambda v: primitives.normalize(COLUMNS, v, "x", forwards())[0], x, cotangent),
        rtol=1e-10,
    )


@pytest.mark.parametrize("magnitude", [1e-9, 1.0, 1e20])
def test_the_time_norm_and_its_gradient_on_both_sides_of_the_floor(magnitude):
    x, cotangent = magnitude * draw(), draw()
    factor = primitives.time_norm(COLUMNS, x, 0.7)
    length = np.linalg.norm(x.numpy(), axis=0)
    np.testing.assert_allclose(factor[0], 0.7 / np.maximum(length, 1e-6), rtol=1e-12)
    plain = lambda v: 0.7 * v / tf.maximum(tf.norm(v, axis=0), 1e-6)  # noqa: E731
    np.testing.assert_allclose(
        primitives.time_norm_backward(COLUMNS, factor, factor * x, 0.7, cotangent),
        gradient_of(plain, x, cotangent),
        rtol=1e-9,
    )


@pytest.mark.parametrize("name", ["tanh", "softmax", "sparsemax"])
def test_an_activation_goes_over_the_units(name):
    x, cotangent = draw(), draw()
    function = getattr(primitives.activations, name)
    np.testing.assert_allclose(
        primitives.activate(COLUMNS, name, x), np.transpose(function(tf.transpose(x))), rtol=1e-12
    )
    np.testing.assert_allclose(
        tf.function(primitives.activate_backward)(COLUMNS, name, x, cotangent),
        gradient_of(lambda v: tf.transpose(function(tf.transpose(v))), x, cotangent),
        rtol=1e-10,
        atol=1e-15,
    )


if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import primitives
    from rumcli.cells.fused.layout import COLUMNS
    from rumcli.cells.fused.primitives import RecomputeCache
    from rumcli.cells.ops import rotation

ROTATION_HEIGHT, ROTATION_BATCH, STEPS = 5, 3, 4


def draw_rotation(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def turn_of(x, y, hidden_state):
    """Return the rotation from x to y as the kernels have it, of columns."""
    a, b = (v / tf.norm(v, axis=0, keepdims=True) for v in (x, y))
    return primitives.make_rotation(COLUMNS, a, b, True, hidden_state, RecomputeCache(COLUMNS, []))


def matrices(x, y):
    """Return the same rotation as `[B, H, H]`."""
    return rotation.rotation_operator(tf.transpose(x), tf.transpose(y))


def turned(matrix, hidden_state):
    return tf.transpose(tf.linalg.matvec(matrix, tf.transpose(hidden_state)))


@pytest.fixture
def vectors():
    return [tf.constant(draw_rotation(seed, ROTATION_HEIGHT, ROTATION_BATCH)) for seed in range(4)]


def test_a_turn_is_the_rotation(vectors):
    x, y, h, _ = vectors
    np.testing.assert_allclose(turn_of(x, y, h).apply(h), turned(matrices(x, y), h), rtol=1e-12)


def back(x, y, found):
    """Take cotangents of directions back to x and y, as `rum_loop.py` does."""
    a, b = (v / tf.norm(v, axis=0, keepdims=True) for v in (x, y))
    of_x = (found.axis + found.summed - found.axis_summed * a) / tf.norm(x, axis=0)
    return of_x, (found.summed + found.axis_summed * b) / tf.norm(y, axis=0)


def test_the_gradient_of_a_turn(vectors):
    x, y, h, cotangent = vectors
    with tf.GradientTape() as tape:
        tape.watch([x, y, h])
        result = turned(matrices(x, y), h)
    expected = tape.gradient(result, [x, y, h], cotangent)

    found = primitives.rotate_backward(COLUMNS, turn_of(x, y, h), h, cotangent)

    for one, other in zip((*back(x, y, found), found.hidden_state), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("memory_is_used", [False, True])
def test_a_product_of_turns_and_its_gradient(memory_is_used):
    xs, ys, hs, gs = (
        tf.constant(draw_rotation(seed, STEPS, ROTATION_HEIGHT, ROTATION_BATCH))
        for seed in range(4)
    )
    identity = tf.eye(ROTATION_HEIGHT, batch_shape=[ROTATION_BATCH], dtype=tf.float64)
    of_memory = (
        draw_rotation(4, ROTATION_BATCH, ROTATION_HEIGHT, ROTATION_HEIGHT)
        if memory_is_used
        else None
    )
    with tf.GradientTape() as tape:
        tape.watch([xs, ys, hs])
        product, loss = identity, 0.0
        for x, y, h, g in zip(xs, ys, hs, gs, strict=True):
            product = product @ matrices(x, y)
            loss += tf.reduce_sum(turned(product, h) * g)
        if memory_is_used:
            loss += tf.reduce_sum(product * of_memory)
    expected = tape.gradient(loss, [xs, ys, hs])

    memory, kept = identity, []
    for x, y, h in zip(xs, ys, hs, strict=True):
        turn = turn_of(x, y, h)
        parts, memory = primitives.associate(COLUMNS, turn, turn.apply(h), memory)
        kept.append((turn, parts))
    memory = tf.transpose(memory, (0, 2, 1))
    np.testing.assert_allclose(memory, product, rtol=1e-10, atol=1e-14)
    momentum = primitives.final_momentum(memory, of_memory)
    for step in reversed(range(STEPS)):
        turn, parts = kept[step]
        found, memory, momentum = primitives.associate_backward(
            COLUMNS, turn, parts, gs[step], memory, momentum
        )
        of_x, of_y = back(xs[step], ys[step], found)
        of_state = found.hidden_state
        for one, other in zip((of_x, of_y, of_state), expected, strict=True):
            np.testing.assert_allclose(one, other[step], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(memory, identity, atol=1e-14)
