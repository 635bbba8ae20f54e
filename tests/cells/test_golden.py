"""Agreement of the cells with arrays that the original implementation produced.

The arrays are no part of the package. Where they are absent these tests are skipped, and
`test_rum.py`, `test_arum.py` and `test_rotation.py` compare with NumPy by the book instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from rumcli.cells import rotation
from rumcli.cells.arum import ARUM
from rumcli.cells.rum import RUM

from .gradients import gradients, needs_float64, relative_error

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "public.npz"

pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason=f"no golden arrays at {GOLDEN}")

# Original names, after the name of the cell, and ours.
WEIGHT_NAMES = {
    "gates.fully_connected.weights": "gate_kernel",
    "gates.fully_connected.biases": "gate_bias",
    "candidate.fully_connected.weights": "candidate_kernel",
    "gates.LN_r_u.layer_norm_alpha": "gate_gain",
    "gates.LN_r_u.layer_norm_bias": "gate_offset",
    "candidate.LN_c.alpha": "candidate_gain",
    "candidate.LN_c.bias": "candidate_offset",
}

LAYER_NORM = {"layer_norm": True, "layer_norm_order": "after_sigmoid", "time_norm": 1.0}

CASES: dict[str, tuple[type[RUM], dict[str, Any]]] = {
    "rum": (RUM, {}),
    "rum_eta": (RUM, {"time_norm": 0.7}),
    "rum_tanh": (RUM, {"activation": "tanh"}),
    "rum_ln": (RUM, LAYER_NORM),
    # The original counts the units that take the new value: keep 0.9.
    "rum_ln_zoneout_eval": (RUM, {**LAYER_NORM, "zoneout": 0.1}),
    "arum": (ARUM, {}),
    "arum_eta": (ARUM, {"time_norm": 2.0}),
    "arum_ln": (ARUM, LAYER_NORM),
}

# The originals are float32, and carry rounding of their own: 1e-6 and less on values of about one.
TOLERANCE = 1e-5


def read(case: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN, allow_pickle=False) as file:
        prefix = f"{case}/"
        return {key.removeprefix(prefix): file[key] for key in file if key.startswith(prefix)}


def to_our_states(state: np.ndarray, units: int) -> list[np.ndarray]:
    if state.shape[1] == units:
        return [state]
    # The original's ARUM state is one vector, the memory before the hidden state.
    return [state[:, -units:], state[:, :-units]]


def our_weights(golden: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        WEIGHT_NAMES[key.removeprefix(prefix).split(".", 1)[1]]: value
        for key, value in golden.items()
        if key.startswith(prefix)
    }


def make_layer(case: str, golden: dict[str, np.ndarray], dtype: str) -> RUM:
    layer_class, arguments = CASES[case]
    units = golden["y"].shape[-1]
    layer = layer_class(units, return_sequences=True, return_state=True, dtype=dtype, **arguments)
    layer.build(golden["x"].shape)
    weights = our_weights(golden, "w.")
    assert {variable.name for variable in layer.trainable_variables} == set(weights)
    for variable in layer.trainable_variables:
        variable.assign(weights[variable.name])
    return layer


@pytest.mark.parametrize("case", CASES)
def test_the_outputs_are_those_of_the_original(case):
    golden = read(case)
    layer = make_layer(case, golden, "float32")
    units = golden["y"].shape[-1]
    initial = to_our_states(golden["initial_state_0"], units)

    outputs, *states = layer(golden["x"], initial_state=[ops.convert_to_tensor(s) for s in initial])

    np.testing.assert_allclose(ops.convert_to_numpy(outputs), golden["y"], rtol=0, atol=TOLERANCE)
    for state, expected in zip(states, to_our_states(golden["final_state_0"], units), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(state), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_the_gradients_are_those_of_the_original(case):
    golden = read(case)
    layer = make_layer(case, golden, "float32")
    initial = to_our_states(golden["initial_state_0"], golden["y"].shape[-1])
    names = [variable.name for variable in layer.trainable_variables]
    weights = our_weights(golden, "w.")
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def loss(x, *rest):
        states, values = rest[: len(initial)], rest[len(initial) :]
        (outputs, *_), _ = layer.stateless_call(values, fixed, x, initial_state=list(states))
        return ops.sum(outputs * golden["cotangent"])

    found = gradients(loss, [golden["x"], *initial, *(weights[name] for name in names)])

    expected_weights = our_weights(golden, "grad.w.")
    expected = [
        golden["grad.x"],
        *to_our_states(golden["grad.initial_state_0"], golden["y"].shape[-1]),
        *(expected_weights[name] for name in names),
    ]
    for actual, wanted in zip(found, expected, strict=True):
        # Norm-wise: with layer norm gradients grow to 40, and the original's own float32 rounding
        # in them (measured against ours in float64) to 4e-5.
        assert relative_error(actual, wanted) < TOLERANCE


@needs_float64
@pytest.mark.parametrize("case", ["rotate_8", "rotate_5"])
def test_the_rotation_of_vectors_is_that_of_the_original(case):
    golden = read(case)

    rotated = rotation.rotate(golden["x"], golden["y"], golden["h"])

    np.testing.assert_allclose(
        # Both sides are float64, and the inputs are far from degenerate.
        ops.convert_to_numpy(rotated),
        golden["rotated"],
        rtol=0,
        atol=1e-12,
    )


@pytest.mark.parametrize("case", ["rotate_8", "rotate_5"])
def test_the_operator_is_that_of_the_original(case):
    golden = read(case)

    operator = rotation.rotation_operator(golden["x"], golden["y"])

    np.testing.assert_allclose(
        ops.convert_to_numpy(operator), golden["operator_float32"], rtol=0, atol=TOLERANCE
    )
