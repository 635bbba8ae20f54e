"""The rotation: its defining properties, its degenerate inputs, and NumPy by the book."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops

from rumcli.cells.ops import rotation
from tests.cells.gradients import FLOAT_DTYPES, gradient_errors, gradients, needs_float64
from tests.cells.reference import textbook_rotation

# One to three products of unit vectors round by a few eps each; near y = -x, vectors closer than
# 2⁻²⁰ (8 eps, float32) or 2⁻⁴⁹ (8 eps, float64) per entry count as opposed.
ROUNDING = {"float32": 64 * 2.0**-23, "float64": 64 * 2.0**-52}

# Few sizes: each new shape costs JAX a compilation.
DIMS = st.sampled_from([2, 3, 8])
SEEDS = st.integers(0, 2**31)
# Powers of ten, far below and above what networks see, and never zero.
EXPONENTS = st.integers(-20, 20)


def as_numpy(tensor):
    return ops.convert_to_numpy(tensor).astype("float64")


def rotate(x, y, h):
    return as_numpy(rotation.rotate(*map(ops.convert_to_tensor, (x, y, h))))


def operator(x, y):
    return as_numpy(rotation.rotation_operator(*map(ops.convert_to_tensor, (x, y))))


def norm(x):
    return np.linalg.norm(x.astype("float64"), axis=-1)


def unit(x):
    return x.astype("float64") / norm(x)[..., None]


def draw(seed, dim, dtype, count=3, batch=4):
    return np.random.default_rng(seed).standard_normal((count, batch, dim)).astype(dtype)


def pairs(kind, seed, dim, dtype):
    """Return x, y, h of a kind that an implementation of rotations may stumble over."""
    x, y, h = draw(seed, dim, dtype)
    rng = np.random.default_rng(seed + 1)
    if kind == "nearly parallel or opposed":
        sign = rng.choice([-1.0, 1.0], (len(x), 1))
        closeness = 10.0 ** rng.uniform(-18, -1, (len(x), 1))
        y = (sign * x + closeness * y).astype(dtype)
    elif kind == "huge and tiny":
        x, y = (v * 10.0 ** rng.integers(-20, 21, (len(x), 1)) for v in (x, y))
    elif kind == "opposed":
        y = -x
    elif kind == "opposed but scaled":
        y = -3.0 * x
    elif kind == "equal":
        y = x
    elif kind == "zero x":
        x = np.zeros_like(x)
    elif kind == "zero y":
        y = np.zeros_like(y)
    elif kind == "both zero":
        x, y = np.zeros_like(x), np.zeros_like(y)
    return x.astype(dtype), y.astype(dtype), h


def loss(x, y, h):
    return ops.sum(ops.square(rotation.rotate(x, y, h) + 1.0))


WITH_DIRECTIONS = [
    "general", "nearly parallel or opposed", "huge and tiny", "opposed", "opposed but scaled",
    "equal",
]  # fmt: skip
KINDS = [*WITH_DIRECTIONS, "zero x", "zero y", "both zero"]


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, dim=DIMS)
@settings(max_examples=40)
def test_every_rotation_keeps_the_norm(dtype, kind, seed, dim):
    x, y, h = pairs(kind, seed, dim, dtype)

    rotated = rotate(x, y, h)

    np.testing.assert_allclose(norm(rotated), norm(h), rtol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(kind=st.sampled_from(WITH_DIRECTIONS), seed=SEEDS, dim=DIMS)
@settings(max_examples=40)
def test_every_rotation_turns_the_direction_of_x_into_that_of_y(dtype, kind, seed, dim):
    x, y, _ = pairs(kind, seed, dim, dtype)

    arrived = rotate(x, y, unit(x).astype(dtype))

    np.testing.assert_allclose(arrived, unit(y), rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, dim=DIMS)
@settings(max_examples=40)
def test_every_operator_is_orthogonal_and_does_what_rotate_does(dtype, kind, seed, dim):
    x, y, h = pairs(kind, seed, dim, dtype)

    matrix = operator(x, y)

    gram = np.swapaxes(matrix, -1, -2) @ matrix
    np.testing.assert_allclose(gram - np.eye(dim), 0.0, atol=ROUNDING[dtype])
    product = np.einsum("bij,bj->bi", matrix, h.astype("float64"))
    error = (product - rotate(x, y, h)) / norm(h)[:, None]
    np.testing.assert_allclose(error, 0.0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(kind=st.sampled_from(["general", "huge and tiny", "zero x", "equal"]), seed=SEEDS, dim=DIMS)
@settings(max_examples=30)
def test_the_determinant_is_one_unless_the_vectors_are_opposed(dtype, kind, seed, dim):
    x, y, _ = pairs(kind, seed, dim, dtype)

    determinant = np.linalg.det(operator(x, y))

    np.testing.assert_allclose(determinant, 1.0, rtol=0, atol=dim * ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(seed=SEEDS, dim=DIMS, x_exponent=EXPONENTS, y_exponent=EXPONENTS)
@settings(max_examples=40)
def test_away_from_degenerate_inputs_it_is_the_textbook_rotation(
    dtype, seed, dim, x_exponent, y_exponent
):
    x, y, h = draw(seed, dim, dtype)
    x, y = ((v * 10.0**e).astype(dtype) for v, e in ((x, x_exponent), (y, y_exponent)))
    # Closer than 0.1 the textbook form itself, and the rounding of x and y, lose a digit.
    assume(np.all(np.abs(np.sum(unit(x) * unit(y), axis=-1)) < 0.995))

    rotated = rotate(x, y, h)

    expected = [textbook_rotation(*v) @ u for *v, u in zip(*map(np.float64, (x, y, h)))]  # noqa: B905
    error = (rotated - np.stack(expected)) / norm(h)[:, None]
    # 1/|a + b| is up to 20 there, and enlarges the rounding of the bisector.
    np.testing.assert_allclose(error, 0.0, atol=2 * ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@given(kind=st.sampled_from(KINDS), seed=SEEDS, dim=DIMS)
@settings(max_examples=40)
def test_values_and_gradients_are_finite_for_every_input(dtype, kind, seed, dim):
    x, y, h = pairs(kind, seed, dim, dtype)

    found = gradients(loss, [x, y, h])

    assert np.all(np.isfinite(rotate(x, y, h)))
    for gradient in found:
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("kind", ["zero x", "zero y", "both zero", "equal"])
def test_without_two_directions_the_rotation_is_the_identity(kind, dtype):
    x, y, h = pairs(kind, 0, 8, dtype)

    np.testing.assert_allclose(rotate(x, y, h), h, rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize("kind", ["opposed", "opposed but scaled"])
def test_opposed_vectors_give_the_reflection_along_x(kind, dtype):
    x, y, h = pairs(kind, 0, 8, dtype)
    a = unit(x)

    expected = h - 2.0 * np.sum(a * h, axis=-1, keepdims=True) * a

    np.testing.assert_allclose(rotate(x, y, h), expected, rtol=0, atol=4 * ROUNDING[dtype])


@pytest.mark.parametrize("kind", ["zero x", "zero y", "both zero"])
def test_a_zero_vector_has_no_gradient(kind):
    x, y, h = pairs(kind, 0, 5, "float32")

    by_x, by_y, _ = gradients(loss, [x, y, h])

    for vector, gradient in ((x, by_x), (y, by_y)):
        if not vector.any():
            assert not gradient.any()


@needs_float64
@pytest.mark.parametrize("dim", [2, 3, 8])
def test_gradients_are_those_of_finite_differences(dim):
    x, y, h = draw(3, dim, "float64")
    # step² and eps/step are about 1e-10; random vectors enlarge it by their closeness to -x.
    assert max(gradient_errors(loss, [x, y, h])) < 1e-7


@needs_float64
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gradients_hold_close_to_parallel_and_to_opposed_vectors(sign):
    x, direction, h = draw(5, 6, "float64", batch=1)
    y = sign * x + 1e-3 * direction
    # Near -x the third derivative is 1e9, times step² = 1e-14; the gradient itself is 1e3.
    assert max(gradient_errors(loss, [x, y, h], step=1e-7)) < 1e-6


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_single_and_returned_in_half(dtype):
    x, y, h = draw(7, 8, "float32")
    x, y, h = (ops.cast(v, dtype) for v in (x, y, h))

    rotated, matrix = rotation.rotate(x, y, h), rotation.rotation_operator(x, y)

    assert rotated.dtype == h.dtype
    assert matrix.dtype == x.dtype
    exact = rotate(*(as_numpy(ops.cast(v, "float32")).astype("float32") for v in (x, y, h)))
    # Only the result is rounded: half an eps of a number below 4 (eps: 2⁻¹⁰, bfloat16 2⁻⁷).
    resolution = 2.0**-10 if dtype == "float16" else 2.0**-7
    found = as_numpy(ops.cast(rotated, "float32"))
    np.testing.assert_allclose(found, exact, rtol=0, atol=2 * resolution)


def test_leading_axes_are_samples():
    x, y, h = draw(8, 4, "float32", batch=6)

    flat = rotate(x, y, h)
    nested = rotate(*(v.reshape(2, 3, 4) for v in (x, y, h)))

    np.testing.assert_array_equal(nested.reshape(6, 4), flat)


def test_the_rank_two_factors_make_the_operator():
    x, y, _ = map(ops.convert_to_tensor, draw(9, 7, "float32"))
    a = rotation.unit(x)
    w = rotation.bisector(a, rotation.unit(y))

    (w_left, a_left), (p, q) = (map(as_numpy, part) for part in rotation.rank_two_factors(a, w))

    outer = np.einsum("bi,bj->bij", w_left, p) + np.einsum("bi,bj->bij", a_left, q)
    np.testing.assert_allclose(np.eye(7) + outer, operator(x, y), rtol=0, atol=ROUNDING["float32"])
