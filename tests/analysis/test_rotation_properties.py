"""The self-test of `rum rotation-check` passes, and fails for broken rotations."""

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from keras import ops

from rumcli.analysis.rotation_properties import CheckResult, check_rotation
from rumcli.cells.ops import rotation
from tests.cells.gradients import BACKEND, FLOAT_DTYPES, float64_is_available

# JAX compiles each operation for each shape, which takes seconds per size; one size suffices.
DIMS_AND_SEEDS = [(4, 0)] if BACKEND == "jax" else [(2, 0), (3, 1), (5, 2), (16, 3), (64, 4)]

ROTATE, OPERATOR = rotation.rotate, rotation.rotation_operator


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@pytest.mark.parametrize(("dim", "seed"), DIMS_AND_SEEDS)
def test_the_rotation_passes_all_checks(dtype, dim, seed):
    results = list(check_rotation([dim], 16, dtype, seed))

    assert [result for result in results if not result.passed] == []
    assert len(results) > 10


def test_one_vector_of_each_kind_is_enough():
    assert all(result.passed for result in check_rotation([2], 1, "float32"))


def test_every_size_gets_the_same_checks_under_different_names():
    results = list(check_rotation([2, 4], 16, "float32"))

    by_dim = {dim: [r.check for r in results if r.dim == dim] for dim in (2, 4)}
    assert by_dim[2] == by_dim[4]
    assert len(set(by_dim[2])) == len(by_dim[2])
    assert {result.dtype for result in results} == {"float32"}


def test_the_same_seed_gives_the_same_errors():
    first, second = (list(check_rotation([4], 16, "float32", seed=5)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("dim", [1, 0, -3])
def test_size_below_two_is_rejected(dim):
    with pytest.raises(ValueError, match="at least 2"):
        list(check_rotation([4, dim], 4, "float32"))


@pytest.mark.skipif(float64_is_available(), reason="float64 is available here")
def test_float64_is_rejected_on_backends_without_it():
    with pytest.raises(ValueError, match="JAX_ENABLE_X64"):
        list(check_rotation([4], 4, "float64"))


@pytest.mark.parametrize(
    ("error", "passes"),
    [(0.0, True), (1.0, True), (1.1, False), (math.inf, False), (math.nan, False)],
)
def test_a_check_passes_up_to_its_tolerance_and_never_with_nan(error, passes):
    assert CheckResult("norm", 3, "float32", error, 1.0).passed is passes


def test_a_result_cannot_be_changed():
    result = CheckResult("norm", 3, "float32", 2.0, 1.0)

    with pytest.raises(FrozenInstanceError):
        result.error = 0.0


def without_antiparallel_correction(x, y, h):
    """Rotate by a bisector that trusts `a + b` however much of it is rounding."""
    a, b = rotation.unit(x), rotation.unit(y)
    return rotation.reflect(rotation.unit(a + b), rotation.reflect(a, h))


def textbook(x, y, h):
    """Rotate by the form that is NaN for parallel vectors."""
    a, b = rotation.unit(x), rotation.unit(y)
    cosine = rotation.dot(a, b)
    v = b - cosine * a
    v = v / ops.sqrt(rotation.dot(v, v))
    sine = ops.sqrt(1.0 - cosine * cosine)
    along_a, along_v = rotation.dot(a, h), rotation.dot(v, h)
    turned = (cosine - 1.0) * (along_a * a + along_v * v) + sine * (along_a * v - along_v * a)
    return h + turned


def nan_for_zeros(x, y, h):
    a, b = (v / ops.sqrt(rotation.dot(v, v)) for v in (x, y))
    return ROTATE(a, b, h)


def nan_at(index):
    """Return a rotation that is NaN in one entry of one sample."""

    def rotate(x, y, h):
        spoilt = np.zeros(h.shape, "float32")
        spoilt[(..., *index)] = np.nan
        return ROTATE(x, y, h) + ops.cast(spoilt, h.dtype)

    return rotate


def nan_where(condition):
    """Return a rotation that is NaN, in value only, for some kinds of x and y."""

    def rotate(x, y, h):
        spoilt = ops.where(condition(x, y), np.nan, 0.0)
        return ROTATE(x, y, h) + ops.stop_gradient(ops.cast(spoilt, h.dtype))

    return rotate


def largest(x):
    return ops.max(ops.abs(x), axis=-1, keepdims=True)


def nearly_parallel(x, y):
    difference = largest(rotation.unit(x) - rotation.unit(y))
    return ops.logical_and(difference > 1e-6, difference < 1e-3)


def without_gradient(x, y, h):
    return ROTATE(ops.stop_gradient(x), y, h)


BROKEN_ROTATES = {
    "scaled": lambda x, y, h: 1.0001 * ROTATE(x, y, h),
    "transposed": lambda x, y, h: ROTATE(y, x, h),
    "no rotation": lambda x, y, h: h + 0.0 * ROTATE(x, y, h),
    "one entry not a number": nan_at((0, 0)),
    "not a number for the last sample": nan_at((-1, -1)),
    "not a number for zeros": nan_for_zeros,
    "not a number for nearly parallel vectors": nan_where(nearly_parallel),
    "not a number for huge x": nan_where(lambda x, y: largest(x) > 1e10),
    "no gradient by x": without_gradient,
    "no antiparallel correction": without_antiparallel_correction,
    "textbook": textbook,
    "always a reflection": lambda x, y, h: ROTATE(x, -x, ROTATE(x, y, h)),
}


@pytest.mark.parametrize("broken", BROKEN_ROTATES.values(), ids=BROKEN_ROTATES)
def test_a_broken_rotate_fails(monkeypatch, broken):
    monkeypatch.setattr(rotation, "rotate", broken)

    assert any(not result.passed for result in check_rotation([4], 16, "float32"))


BROKEN_OPERATORS = {
    "scaled": lambda x, y: 1.0001 * OPERATOR(x, y),
    "transposed": lambda x, y: OPERATOR(y, x),
    "not a number": lambda x, y: float("nan") * OPERATOR(x, y),
    "identity": lambda x, y: OPERATOR(x, x),
}


@pytest.mark.parametrize("broken", BROKEN_OPERATORS.values(), ids=BROKEN_OPERATORS)
def test_a_broken_operator_fails(monkeypatch, broken):
    monkeypatch.setattr(rotation, "rotation_operator", broken)

    assert any(not result.passed for result in check_rotation([4], 16, "float32"))


def test_a_broken_memory_update_fails(monkeypatch):
    from rumcli.cells import arum

    def broken(a, w):
        left, (p, q) = factors(a, w)
        return left, (p, 1.01 * q)

    factors = rotation.rank_two_factors
    # In the rotation's own module it breaks the operator, in ARUM's the memory.
    monkeypatch.setattr(rotation, "rank_two_factors", broken)
    monkeypatch.setattr(arum, "rank_two_factors", broken)

    assert any(not result.passed for result in check_rotation([4], 16, "float32"))
