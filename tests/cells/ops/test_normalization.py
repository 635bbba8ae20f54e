"""Layer norm, time norm, and the initializer of the gates."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.ops import normalization
from rumcli.cells.ops.normalization import per_block, scale_to_norm
from tests.cells.gradients import gradients, needs_float64

RANDOM = np.random.default_rng(0)


def layer_norm(*arrays):
    return normalization.layer_norm(*map(ops.convert_to_tensor, arrays))


def test_layer_norm_gives_mean_zero_and_variance_one():
    x = RANDOM.normal(3.0, 5.0, (4, 50)).astype("float32")

    found = ops.convert_to_numpy(layer_norm(x, np.ones(50, "float32"), np.zeros(50, "float32")))

    np.testing.assert_allclose(found.mean(axis=-1), 0.0, atol=1e-6)
    # The floor of 1e-3 beside a variance of 25.
    np.testing.assert_allclose(found.var(axis=-1), 1.0, atol=1e-4)


def test_layer_norm_scales_and_shifts_each_unit():
    x = RANDOM.standard_normal((4, 6)).astype("float32")
    gain, offset = RANDOM.standard_normal((2, 6)).astype("float32")
    plain = layer_norm(x, np.ones(6, "float32"), np.zeros(6, "float32"))

    found = layer_norm(x, gain, offset)

    expected = ops.convert_to_numpy(plain) * gain + offset
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-6)


def test_layer_norm_of_a_constant_is_the_offset():
    offset = np.arange(5, dtype="float32")

    found = layer_norm(np.full((2, 5), 7.0, "float32"), np.ones(5, "float32"), offset)

    np.testing.assert_allclose(ops.convert_to_numpy(found), np.stack([offset, offset]))


@needs_float64
def test_layer_norm_in_float64_is_exact():
    x = RANDOM.standard_normal((4, 6))

    found = ops.convert_to_numpy(layer_norm(ops.convert_to_tensor(x), np.ones(6), np.zeros(6)))

    centered = x - x.mean(axis=-1, keepdims=True)
    expected = centered / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)  # float64 rounding


@pytest.mark.parametrize("magnitude", [1e-5, 1.0, 1e5, 1e20, 1e30])
def test_the_time_norm_sets_the_length_of_any_vector(magnitude):
    x = (magnitude * RANDOM.standard_normal((4, 6))).astype("float32")

    found = ops.convert_to_numpy(scale_to_norm(ops.convert_to_tensor(x), 0.7))

    # A few float32 roundings.
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 0.7, rtol=1e-6)
    np.testing.assert_array_equal(np.sign(found), np.sign(x))


def test_the_time_norm_leaves_zero_at_zero_and_shrinks_towards_it():
    x = np.array([[0.0, 0.0], [3e-8, 4e-8]], "float32")

    found = ops.convert_to_numpy(scale_to_norm(ops.convert_to_tensor(x), 2.0))

    # The second is 5e-8 long, one twentieth of the floor of 1e-6.
    np.testing.assert_allclose(np.linalg.norm(found, axis=-1), [0.0, 0.1], rtol=1e-6)


@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1e-7, 1e-6, 1.0, 1e20])
def test_the_gradient_of_the_time_norm_is_finite(magnitude):
    x = (magnitude * RANDOM.standard_normal((4, 6))).astype("float32")

    (found,) = gradients(lambda v: ops.sum(ops.square(scale_to_norm(v, 1.0) + 1.0)), [x])

    assert np.all(np.isfinite(found))


@needs_float64
@pytest.mark.parametrize("magnitude", [1e-7, 1e-3, 1.0, 1e3])
def test_the_gradient_of_the_time_norm_is_exact_on_both_sides_of_the_floor(magnitude):
    x = magnitude * RANDOM.standard_normal((1, 5))
    cotangent = RANDOM.standard_normal((1, 5))

    (found,) = gradients(lambda v: ops.sum(scale_to_norm(v, 1.5) * cotangent), [x])

    length = np.linalg.norm(x)
    if length < 1e-6:
        expected = 1.5e6 * cotangent
    else:
        direction = x / length
        expected = 1.5 / length * (cotangent - np.sum(cotangent * direction) * direction)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # float64 rounding


def test_each_block_is_orthogonal_by_itself_and_the_blocks_differ():
    initialize = per_block(keras.initializers.Orthogonal(seed=1), 2)

    kernel = ops.convert_to_numpy(initialize((10, 12), dtype="float32"))

    for block in (kernel[:, :6], kernel[:, 6:]):
        np.testing.assert_allclose(block.T @ block, np.eye(6), atol=1e-6)  # float32 rounding
    assert np.abs(kernel[:, :6] - kernel[:, 6:]).max() > 0.1


@pytest.mark.parametrize("initializer", ["zeros", "glorot_uniform", "identity"])
def test_any_initializer_makes_blocks(initializer):
    initialize = per_block(keras.initializers.get(initializer), 2)

    assert initialize((6, 8), dtype="float32").shape == (6, 8)


def test_blocks_need_no_keras_initializer():
    initialize = per_block(lambda shape, dtype=None: ops.full(shape, 2.0, dtype=dtype), 3)

    np.testing.assert_array_equal(ops.convert_to_numpy(initialize((2, 6), dtype="float32")), 2.0)
