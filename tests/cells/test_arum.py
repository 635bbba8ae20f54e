"""ARUM, λ = 1: what its associative memory adds to RUM. What they share is in `test_rum.py`."""

import numpy as np
import pytest
from keras import ops

from rumcli.cells.arum import ARUM, ARUMCell
from rumcli.cells.ops import rotation
from rumcli.cells.rum import RUM

from .contract import BATCH, UNITS, random_inputs, to_numpy, with_weights_of
from .gradients import FLOAT_DTYPES, compiled


def memories(flat):
    """Return the memories as matrices, `[B, H, H]`, in float64."""
    flat = to_numpy(flat).astype("float64")
    units = int(flat.shape[-1] ** 0.5)
    return flat.reshape(-1, units, units)


def test_the_memory_starts_as_the_identity():
    hidden_state, memory = ARUM(UNITS).get_initial_state(BATCH)

    np.testing.assert_array_equal(to_numpy(hidden_state), np.zeros((BATCH, UNITS)))
    np.testing.assert_array_equal(memories(memory), np.stack([np.eye(UNITS)] * BATCH))


def test_a_reset_makes_the_memory_the_identity_again():
    layer = ARUM(UNITS, stateful=True)
    layer(random_inputs())
    assert np.abs(memories(layer.states[1].value) - np.eye(UNITS)).max() > 0.1

    layer.reset_state()

    np.testing.assert_array_equal(to_numpy(layer.states[0].value), np.zeros((BATCH, UNITS)))
    np.testing.assert_array_equal(
        memories(layer.states[1].value), np.stack([np.eye(UNITS)] * BATCH)
    )


def test_the_first_step_is_that_of_rum():
    arum = ARUM(UNITS)
    expected = to_numpy(arum(random_inputs(1)))

    # Two orders of the same products, in float32.
    found = to_numpy(with_weights_of(RUM(UNITS), arum)(random_inputs(1)))

    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
def test_recall_multiplies_the_memory_by_the_rotation_and_then_the_state(dtype):
    rng = np.random.default_rng(0)
    x, y, h = rng.standard_normal((3, BATCH, UNITS)).astype(dtype)
    memory = rng.standard_normal((BATCH, UNITS * UNITS)).astype(dtype)
    axis, direction = (rotation.unit(ops.convert_to_tensor(v)) for v in (x, y))

    rotated, (updated,) = ARUMCell(UNITS, dtype=dtype).recall(
        axis, direction, ops.convert_to_tensor(h), [ops.convert_to_tensor(memory)]
    )

    turn = to_numpy(rotation.rotation_operator(x, y)).astype("float64")
    expected = memories(memory) @ turn
    # Sums of five products of numbers up to 3, a few times over.
    tolerance = 200 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(memories(updated), expected, rtol=0, atol=tolerance)
    recalled = np.einsum("bij,bj->bi", expected, h.astype("float64"))
    np.testing.assert_allclose(to_numpy(rotated), recalled, rtol=0, atol=4 * tolerance)


def test_the_memory_stays_orthogonal_over_many_steps():
    layer = ARUM(16, activation="tanh", return_state=True, implementation="plain")

    _, _, memory = compiled(layer)(random_inputs(300))

    memory = memories(memory)
    gram = np.swapaxes(memory, -1, -2) @ memory
    # Rounding adds up like a random walk, √300 float32 roundings; ten times as much at worst.
    np.testing.assert_allclose(gram - np.eye(16), np.zeros_like(gram), atol=2e-5)


def test_an_input_of_zeros_leaves_the_memory_as_it_is():
    layer = ARUM(UNITS, return_state=True)

    _, _, memory = layer(np.zeros((BATCH, 4, 3), "float32"))

    np.testing.assert_array_equal(memories(memory), np.stack([np.eye(UNITS)] * BATCH))
