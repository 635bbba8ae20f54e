"""modReLU: its values, and its gradient where the magnitude has none."""

import numpy as np
import pytest
from keras import ops

from rumcli.cells.ops.elementwise import EPSILON, complex_modrelu, modrelu
from tests.cells.contract import to_numpy
from tests.cells.gradients import gradient_errors, gradients, needs_float64

BIAS = np.array([0.5, -0.5, 0.0, -2.0], "float32")


def apply(function, z, bias=BIAS):
    return to_numpy(function(ops.convert_to_tensor(z), ops.convert_to_tensor(bias)))


def test_it_shifts_magnitudes_and_keeps_signs():
    z = np.array([[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -3.0]], "float32")

    found = apply(modrelu, z)

    expected = np.array([[1.5, 0.5, 1.0, 0.0], [-1.5, -0.5, -1.0, -1.0]])
    # 1e-5 is added to each magnitude.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1.1 * EPSILON)


def test_it_shifts_magnitudes_and_keeps_phases():
    z = np.array([3.0, -4.0j, 3.0 - 4.0j, 1.0 + 1.0j])

    found = apply(complex_modrelu, np.stack([z.real, z.imag]).astype("float32"))

    expected = z / np.abs(z) * np.maximum(np.abs(z) + BIAS, 0.0)
    # 1e-5 is added to each magnitude; float32 rounding of 5 is below that.
    np.testing.assert_allclose(found[0] + 1j * found[1], expected, rtol=0, atol=2 * EPSILON)


def test_without_a_bias_complex_numbers_stay_as_they_are():
    z = np.random.default_rng(0).standard_normal((3, 2, 4)).astype("float32")
    z[0] *= 1e-6

    found = apply(complex_modrelu, z, np.zeros(4, "float32"))

    np.testing.assert_allclose(found, z, rtol=1e-6)  # float32 rounding


@pytest.mark.parametrize("bias", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("magnitude", [0.0, 1e-30, 1e-16, 1e-6, 1.0, 1e15])
def test_the_gradient_is_finite_at_any_magnitude(magnitude, bias):
    z = (magnitude * np.random.default_rng(0).standard_normal((3, 2, 4))).astype("float32")
    biases = np.full(4, bias, "float32")

    for function in (modrelu, complex_modrelu):
        found = gradients(lambda z, b, f=function: ops.sum(ops.square(f(z, b) + 1.0)), [z, biases])

        assert all(np.all(np.isfinite(gradient)) for gradient in found)


@needs_float64
@pytest.mark.parametrize("function", [modrelu, complex_modrelu])
def test_the_gradient_is_that_of_finite_differences(function):
    rng = np.random.default_rng(1)
    z, bias = rng.standard_normal((3, 2, 4)), rng.standard_normal(4)
    cotangent = rng.standard_normal(z.shape)

    def loss(z, bias):
        return ops.sum(function(z, bias) * cotangent)

    # eps/step and step² are both below
    assert max(gradient_errors(loss, [z, bias])) < 1e-8
