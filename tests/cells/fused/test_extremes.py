"""The fused loop of RUM and ARUM where rounding counts: degenerate, huge, tiny and long inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rumcli.cells.arum import ARUM
from rumcli.cells.rum import RUM
from tests.cells.contract import random_inputs, to_numpy
from tests.cells.gradients import needs_kernels

from .comparison import assert_finite_for_inputs_of, assert_same, results, rum_pair

pytestmark = needs_kernels


def along(layer: Any, factor: float) -> Any:
    """Make the target memory of a layer `factor` times its embedded input."""
    units = layer.cell.units
    kernel = np.zeros(layer.cell.gate_kernel.shape)
    kernel[:-units, :units] = factor * to_numpy(layer.cell.candidate_kernel.value)
    layer.cell.gate_kernel.assign(kernel)
    layer.cell.gate_bias.assign(np.zeros(layer.cell.gate_bias.shape))
    return layer


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_inputs_without_a_plane_of_rotation_are_those_of_the_plain_loop(layer_class, dtype):
    # Not ReLU: where nothing turns its argument is zero, and rounding chooses the slope.
    layers = rum_pair(layer_class, 6, features=6, dtype=dtype, time_norm=1.0, activation="tanh")
    inputs = np.random.default_rng(1).standard_normal((4, 5, 6)).astype(dtype)
    # Sample 0 has no direction at all, sample 1 none at two of its steps.
    inputs[0] = inputs[1, 2:4] = 0.0
    for factor in (1.0, 0.0):  # the same direction; none
        plain, other = (results(along(layer, factor), inputs) for layer in layers)
        # Of entries of about one, over five steps.
        assert_same(plain, other, 1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_opposite_directions_turn_as_they_should(layer_class, dtype):
    # Which plane they turn in is for rounding to say, so that there is no one right result.
    _, layer = rum_pair(
        layer_class, 6, features=6, dtype=dtype, activation="linear", update_gate=False
    )
    inputs = np.random.default_rng(1).standard_normal((4, 5, 6)).astype(dtype)

    (outputs, *_), gradients = results(along(layer, -1.0), inputs)

    embedded = to_numpy(inputs @ layer.cell.candidate_kernel.value).astype("float64")
    before = np.concatenate([np.zeros((4, 1, 6)), outputs[:, :-1]], axis=1).astype("float64")
    recalled = np.linalg.norm(outputs - embedded, axis=-1)
    # Sums of six entries, a few times over.
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(recalled, np.linalg.norm(before, axis=-1), atol=tolerance)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients)


@pytest.mark.parametrize("layer_class", [RUM, ARUM])
@pytest.mark.parametrize("options", [{"time_norm": 1.0}, {"layer_norm": True, "time_norm": 1.0}])
def test_huge_and_tiny_inputs_give_finite_outputs_and_gradients(layer_class, options):
    _, layer = rum_pair(layer_class, 6, dtype="float32", **options)
    assert_finite_for_inputs_of(layer, [1e-18, 1e18])


@pytest.mark.slow
@pytest.mark.parametrize("layer_class", [RUM, ARUM])
def test_gradients_over_a_thousand_steps_are_those_of_float64(layer_class):
    options = {"time_norm": 1.0, "features": 10, "return_state": False}
    _, exact = rum_pair(layer_class, 100, **options)
    _, layer = rum_pair(layer_class, 100, dtype="float32", **options)
    for one, other in zip(layer.trainable_variables, exact.trainable_variables, strict=True):
        one.assign(to_numpy(other.value))
    inputs = np.random.default_rng(2).standard_normal((2, 1000, 10))

    expected = results(exact, inputs)
    found = results(layer, inputs.astype("float32"))

    assert_same(expected, found, 1e-3)


@pytest.mark.e2e
@pytest.mark.compiled
def test_the_memory_stays_orthogonal_over_ten_thousand_steps():
    _, layer = rum_pair(ARUM, 100, dtype="float32", time_norm=1.0, return_sequences=False)
    inputs = random_inputs(10_000, "float32", 2)

    memory = to_numpy(layer(inputs)[2]).astype("float64").reshape(2, 100, 100)

    gram = np.swapaxes(memory, 1, 2) @ memory
    assert np.abs(gram - np.eye(100)).max() < 1e-3
