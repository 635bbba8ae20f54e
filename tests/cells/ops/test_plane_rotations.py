"""The maps of EUNN: orthogonal and unitary for every size, and NumPy by the book."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from rumcli.cells.ops.plane_rotations import PairedRotations, add_angles
from tests.cells.gradients import BACKEND, FLOAT_DTYPES, gradient_errors, needs_float64
from tests.cells.orthogonal_reference import paired_rotations

# Each layer rounds by an eps or so, and no layer enlarges what those before it did.
ROUNDING = {"float32": 64 * 2.0**-23, "float64": 64 * 2.0**-52}

# Each new shape costs JAX compilations.
SIZES = st.integers(1, 40) if BACKEND != "jax" else st.sampled_from([1, 2, 7, 12])
CAPACITIES = st.integers(1, 7) if BACKEND != "jax" else st.sampled_from([1, 4])
NEIGHBORS = st.tuples(st.just("neighbors"), st.none() | CAPACITIES)
LAYOUTS = NEIGHBORS | st.just(("fft", None))

by_property = settings(max_examples=40 if BACKEND != "jax" else 15, deadline=None)
some_layouts = pytest.mark.parametrize(
    ("units", "pairing", "capacity"),
    [
        (8, "neighbors", 3),
        (7, "neighbors", 2),
        (2, "neighbors", 2),
        (1, "neighbors", 2),
        (8, "fft", None),
        (11, "fft", None),
        (1, "fft", None),
    ],
)


def angles(rotations, dtype="float64", seed=0):
    """Return θ, φ and ω; θ and φ are None where the cells have none, with one unit."""
    rng = np.random.default_rng(seed)
    theta, phi = rng.uniform(-np.pi, np.pi, (2, rotations.pairs)).astype(dtype)
    omega = rng.uniform(-np.pi, np.pi, rotations.units).astype(dtype)
    return (theta, phi, omega) if rotations.pairs else (None, None, omega)


def orthogonal_matrix(rotations, theta, dtype):
    """Return U: the map of the unit vectors, which are its columns."""
    rows = rotations.orthogonal(theta)(ops.eye(rotations.units, dtype=dtype))
    return ops.convert_to_numpy(rows).astype("float64").T


def unitary_matrix(rotations, theta, phi, omega, dtype):
    identity = ops.eye(rotations.units, dtype=dtype)
    rows = rotations.unitary(theta, phi, omega)(ops.stack([identity, 0.0 * identity], axis=1))
    rows = ops.convert_to_numpy(rows).astype("float64")
    return (rows[:, 0] + 1j * rows[:, 1]).T


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@by_property
@given(units=SIZES, layout=LAYOUTS, seed=st.integers(0, 2**31))
def test_the_map_is_orthogonal_for_every_size(dtype, units, layout, seed):
    rotations = PairedRotations(units, *layout)

    matrix = orthogonal_matrix(rotations, angles(rotations, dtype, seed)[0], dtype)

    gram = matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(units), rtol=0, atol=ROUNDING[dtype])


@pytest.mark.parametrize("dtype", FLOAT_DTYPES)
@by_property
@given(units=SIZES, layout=LAYOUTS, seed=st.integers(0, 2**31))
def test_the_complex_map_is_unitary_for_every_size(dtype, units, layout, seed):
    rotations = PairedRotations(units, *layout)

    matrix = unitary_matrix(rotations, *angles(rotations, dtype, seed), dtype)

    gram = matrix.conj().T @ matrix
    np.testing.assert_allclose(gram, np.eye(units), rtol=0, atol=ROUNDING[dtype])


@some_layouts
def test_the_map_is_the_product_of_rotations_by_the_book(units, pairing, capacity):
    rotations = PairedRotations(units, pairing, capacity)
    theta, _, _ = angles(rotations, "float32")

    matrix = orthogonal_matrix(rotations, theta, "float32")

    expected = paired_rotations(units, pairing, capacity, theta)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=ROUNDING["float32"])


@some_layouts
def test_the_complex_map_is_the_product_of_rotations_by_the_book(units, pairing, capacity):
    rotations = PairedRotations(units, pairing, capacity)
    theta, phi, omega = angles(rotations, "float32")

    matrix = unitary_matrix(rotations, theta, phi, omega, "float32")

    expected = paired_rotations(units, pairing, capacity, theta, phi, omega)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=ROUNDING["float32"])


@given(units=st.integers(1, 300), layout=LAYOUTS)
def test_no_unit_is_in_two_pairs_of_a_layer(units, layout):
    for layer in PairedRotations(units, *layout).layers:
        members = [*layer.first, *layer.second]
        assert len(set(members)) == len(members)
        assert min(members) >= 0
        assert max(members) < units


@given(digits=st.integers(1, 8))
def test_butterflies_have_half_of_the_units_in_each_layer(digits):
    layers = PairedRotations(2**digits, "fft").layers

    assert [layer.distance for layer in layers] == [2**d for d in reversed(range(digits))]
    assert {len(layer.first) for layer in layers} == {2 ** (digits - 1)}


@pytest.mark.parametrize("units", [4, 16])
def test_butterflies_lead_from_every_unit_to_every_other(units):
    rotations = PairedRotations(units, "fft")

    matrix = orthogonal_matrix(rotations, angles(rotations, "float32")[0], "float32")

    assert np.all(matrix != 0.0)


@pytest.mark.parametrize(("units", "expected"), [(1, 0), (2, 1), (7, 6), (8, 7)])
def test_two_layers_of_neighbors_are_the_default(units, expected):
    rotations = PairedRotations(units)

    assert rotations.pairs == expected
    assert rotations.layers == PairedRotations(units, capacity=2).layers


def test_angles_in_half_precision_turn_in_float32():
    rotations = PairedRotations(7)
    theta = ops.convert_to_tensor(angles(rotations, "float16")[0])

    matrix = orthogonal_matrix(rotations, theta, "float32")

    np.testing.assert_allclose(matrix.T @ matrix, np.eye(7), rtol=0, atol=ROUNDING["float32"])


@needs_float64
@pytest.mark.parametrize(("units", "pairing"), [(5, "neighbors"), (6, "neighbors"), (6, "fft")])
def test_gradients_are_those_of_finite_differences(units, pairing):
    rotations = PairedRotations(units, pairing)
    rng = np.random.default_rng(3)
    theta, phi, omega = angles(rotations)
    state, cotangent = rng.standard_normal((2, 3, 2, units))

    def of_orthogonal(theta, h):
        return ops.sum(rotations.orthogonal(theta)(h) * cotangent)

    def of_unitary(theta, phi, omega, h):
        return ops.sum(rotations.unitary(theta, phi, omega)(h) * cotangent)

    for loss, arguments in (
        (of_orthogonal, [theta, state]),
        (of_unitary, [theta, phi, omega, state]),
    ):
        # eps/step and step² are both below
        assert max(gradient_errors(loss, arguments)) < 1e-8


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"pairing": "butterfly"}, "pairing must be 'neighbors' or 'fft', got 'butterfly'"),
        ({"capacity": 0}, "capacity must be a positive integer or None, got 0"),
        ({"capacity": 1.5}, "capacity must be a positive integer or None, got 1.5"),
        ({"pairing": "fft", "capacity": 2}, "capacity must be None, got 2"),
    ],
)
def test_arguments_out_of_range_are_told(arguments, expected):
    with pytest.raises(ValueError, match=expected):
        PairedRotations(4, **arguments)


def test_angles_start_uniform_between_minus_pi_and_pi():
    keras.utils.set_random_seed(0)
    layer = keras.layers.Layer()

    found = ops.convert_to_numpy(add_angles(layer, "theta", 4000).value)

    assert np.abs(found).max() <= np.pi
    # The quarters of 4000 draws are 1000 ± 28 each.
    counts, _ = np.histogram(found, bins=4, range=(-np.pi, np.pi))
    np.testing.assert_allclose(counts, 1000, atol=140)


def test_no_angles_are_no_weight():
    layer = keras.layers.Layer()

    assert add_angles(layer, "theta", 0) is None
    assert layer.weights == []
