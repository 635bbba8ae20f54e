"""The two ways to recall, against matrices, and their gradients against TensorFlow's own."""

import numpy as np
import pytest

from tests.cells.gradients import BACKEND, needs_tensorflow

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import rotation_vjp
    from rumcli.cells.fused.column_layout import COLUMNS
    from rumcli.cells.fused.primitives import RecomputeCache
    from rumcli.cells.ops import rotation

pytestmark = needs_tensorflow

HEIGHT, BATCH, STEPS = 5, 3, 4


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def turn_of(x, y, hidden_state):
    """Return the rotation from x to y as the kernels have it, of columns."""
    a, b = (v / tf.norm(v, axis=0, keepdims=True) for v in (x, y))
    return rotation_vjp.make_rotation(
        COLUMNS, a, b, True, hidden_state, RecomputeCache(COLUMNS, [])
    )


def matrices(x, y):
    """Return the same rotation as `[B, H, H]`."""
    return rotation.rotation_operator(tf.transpose(x), tf.transpose(y))


def turned(matrix, hidden_state):
    return tf.transpose(tf.linalg.matvec(matrix, tf.transpose(hidden_state)))


@pytest.fixture
def vectors():
    return [tf.constant(draw(seed, HEIGHT, BATCH)) for seed in range(4)]


def test_a_turn_is_the_rotation(vectors):
    x, y, h, _ = vectors
    np.testing.assert_allclose(turn_of(x, y, h).apply(h), turned(matrices(x, y), h), rtol=1e-12)


def back(x, y, found):
    """Take cotangents of directions back to x and y, as `rum_vjp.py` does."""
    a, b = (v / tf.norm(v, axis=0, keepdims=True) for v in (x, y))
    of_x = (found.axis + found.summed - found.axis_summed * a) / tf.norm(x, axis=0)
    return of_x, (found.summed + found.axis_summed * b) / tf.norm(y, axis=0)


def test_the_gradient_of_a_turn(vectors):
    x, y, h, cotangent = vectors
    with tf.GradientTape() as tape:
        tape.watch([x, y, h])
        result = turned(matrices(x, y), h)
    expected = tape.gradient(result, [x, y, h], cotangent)

    found = rotation_vjp.rotate_backward(COLUMNS, turn_of(x, y, h), h, cotangent)

    for one, other in zip((*back(x, y, found), found.hidden_state), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


@pytest.mark.parametrize("memory_is_used", [False, True])
def test_a_product_of_turns_and_its_gradient(memory_is_used):
    xs, ys, hs, gs = (tf.constant(draw(seed, STEPS, HEIGHT, BATCH)) for seed in range(4))
    identity = tf.eye(HEIGHT, batch_shape=[BATCH], dtype=tf.float64)
    of_memory = draw(4, BATCH, HEIGHT, HEIGHT) if memory_is_used else None
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
        parts, memory = rotation_vjp.associate(COLUMNS, turn, turn.apply(h), memory)
        kept.append((turn, parts))
    memory = tf.transpose(memory, (0, 2, 1))
    np.testing.assert_allclose(memory, product, rtol=1e-10, atol=1e-14)
    momentum = rotation_vjp.final_momentum(memory, of_memory)
    for step in reversed(range(STEPS)):
        turn, parts = kept[step]
        found, memory, momentum = rotation_vjp.associate_backward(
            COLUMNS, turn, parts, gs[step], memory, momentum
        )
        of_x, of_y = back(xs[step], ys[step], found)
        of_state = found.hidden_state
        for one, other in zip((of_x, of_y, of_state), expected, strict=True):
            np.testing.assert_allclose(one, other[step], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(memory, identity, atol=1e-14)
