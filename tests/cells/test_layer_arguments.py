"""Arguments of the cells and layers: which are accepted, and what a configuration keeps of them."""

import inspect
import json

import keras
import numpy as np
import pytest

from rumcli import cells
from rumcli.cells.arum import ARUM
from rumcli.cells.delta_product import DeltaProduct
from rumcli.cells.eunn import EUNN
from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
from rumcli.cells.goru import GORU
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.lru import LRU
from rumcli.cells.ops.plane_rotations import PairedRotations
from rumcli.cells.rum import RUM, RUMCell
from rumcli.cells.slstm import SLSTM

SIZED = [RUM, ARUM, LNLSTM, EUNN, GORU, DeltaProduct, SLSTM, LRU]
NO_INTEGERS = [True, np.bool_(True), 2.0, np.float32(2.0), "2", None, 0, -1, [2]]
NO_RATES = [True, "0.1", None, 1, -0.1, float("nan"), 10**400]


def fast_slow(**options):
    return FSRNN([LNLSTMCell(3), LNLSTMCell(3)], RUMCell(2), **options)


@pytest.mark.parametrize("layer_class", SIZED)
@pytest.mark.parametrize("units", NO_INTEGERS, ids=repr)
def test_units_are_a_positive_integer(layer_class, units):
    with pytest.raises(ValueError, match="units must be a positive integer, got"):
        layer_class(units)


INTEGERS = [
    (lambda value: cells.make("gru", value), "units"),
    (lambda value: cells.make("fsrnn", value), "units"),
    (lambda value: cells.make_cell("lstm", value), "units"),
    (lambda value: cells.make("fsrnn", 3, num_fast_cells=value), "num_fast_cells"),
    (lambda value: PairedRotations(value), "units"),
    (lambda value: EUNN(4, capacity=value), "capacity"),
    (lambda value: GORU(4, capacity=value), "capacity"),
]


@pytest.mark.parametrize(("make", "name"), INTEGERS)
def test_every_integer_is_checked_as_one(make, name):
    for value in NO_INTEGERS:
        if value is None and name == "capacity":
            continue
        with pytest.raises(ValueError, match=f"{name} must be a positive integer"):
            make(value)
    for value in (2, np.int64(2), np.uint8(2), np.array(2)):
        make(value)


@pytest.mark.parametrize(
    ("make", "name", "wrong", "message"),
    [
        (lambda **o: RUM(3, **o), "zoneout", NO_RATES, r"must be in \[0, 1\)"),
        (lambda **o: LNLSTM(3, **o), "zoneout", NO_RATES, r"must be in \[0, 1\)"),
        (lambda **o: LNLSTM(3, **o), "cell_zoneout", NO_RATES, r"must be in \[0, 1\)"),
        (fast_slow, "dropout", NO_RATES, r"must be in \[0, 1\)"),
        (
            lambda **o: ARUM(3, **o),
            "time_norm",
            [True, "1", 0, -1.0, float("inf"), 10**400],
            "must be a positive number or None",
        ),
        (
            lambda **o: LNLSTM(3, **o),
            "forget_bias",
            [True, None, "1", float("nan"), float("inf")],
            "must be a finite number",
        ),
        (lambda **o: RUM(3, **o), "layer_norm", ["false", 1, None], "must be True or False"),
        (lambda **o: RUM(3, **o), "update_gate", ["false", 0, None], "must be True or False"),
        (lambda **o: EUNN(3, **o), "complex_valued", ["false", 0], "must be True or False"),
        (lambda **o: RUM(3, **o), "seed", [True, 1.0, "1"], "must be an integer or None"),
        (fast_slow, "seed", [True, 1.0, "1"], "must be an integer or None"),
        (lambda **o: GORU(3, **o), "dtype", ["int32", "complex64"], "must be one of bfloat16"),
    ],
)
def test_a_wrong_value_is_rejected_with_the_argument_it_was_given_for(make, name, wrong, message):
    for value in wrong:
        with pytest.raises(ValueError, match=f"^{name} {message}.*, got"):
            make(**{name: value})


@pytest.mark.parametrize(
    "layer",
    [
        RUM(
            np.int64(3),
            time_norm=np.float32(0.5),
            zoneout=np.float64(0.25),
            layer_norm=np.bool_(True),
            update_gate=np.bool_(False),
            seed=np.int32(4),
        ),
        LNLSTM(np.int32(3), forget_bias=np.float32(0.5), cell_zoneout=np.float32(0.25)),
        EUNN(np.int64(4), capacity=np.int64(3), complex_valued=np.bool_(True)),
        GORU(np.int64(4), capacity=np.uint8(3)),
        DeltaProduct(np.int64(4), np.int64(1), num_heads=np.int32(2), gated=np.bool_(True)),
        SLSTM(np.int64(4), num_heads=np.int32(2), forget_bias=np.float32(0.5)),
        LRU(np.int64(4), min_radius=np.float32(0.5), max_phase=np.float64(1.0)),
        fast_slow(dropout=np.float16(0.25), seed=np.int64(5)),
    ],
    ids=lambda layer: layer.__class__.__name__,
)
def test_numbers_of_numpy_are_plain_ones_in_the_configuration(layer):
    config = layer.get_config()

    again = layer.from_config(json.loads(json.dumps(config)))

    assert again.get_config() == config
    assert {type(size) for size in again.state_size} == {int}


# None of them the default.
ARGUMENTS = {
    RUM: {
        "activation": "tanh",
        "time_norm": 2.0,
        "layer_norm": True,
        "layer_norm_order": "after_sigmoid",
        "zoneout": 0.25,
        "update_gate": False,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        "candidate_bias": True,
        "initial_rotation": "identity",
        "trainable_rotation": False,
        "seed": 3,
    },
    LNLSTM: {
        "forget_bias": 0.5,
        "zoneout": 0.25,
        "cell_zoneout": 0.5,
        "kernel_initializer": "zeros",
        "recurrent_initializer": "identity",
        "bias_initializer": "ones",
        "seed": 3,
    },
    EUNN: {
        "capacity": 3,
        "complex_valued": True,
        "kernel_initializer": "orthogonal",
        "bias_initializer": "ones",
    },
    GORU: {
        "pairing": "fft",
        "kernel_initializer": "orthogonal",
        "recurrent_initializer": "identity",
        "bias_initializer": "ones",
    },
    DeltaProduct: {
        "num_reflections": 3,
        "num_heads": 2,
        "gated": True,
        "negative_eigenvalues": False,
        "output_norm": False,
        "kernel_initializer": "orthogonal",
    },
    SLSTM: {
        "num_heads": 2,
        "forget_gate": "exponential",
        "forget_bias": 0.5,
        "kernel_initializer": "orthogonal",
        "recurrent_initializer": "zeros",
        "bias_initializer": "ones",
    },
    LRU: {
        "activation": "tanh",
        "eigenvalues": "real",
        "min_radius": 0.25,
        "max_radius": 0.5,
        "max_phase": 1.0,
        "kernel_initializer": "orthogonal",
    },
}
ARGUMENTS[ARUM] = ARGUMENTS[RUM]


@pytest.mark.parametrize("layer_class", SIZED)
def test_every_argument_is_kept_in_the_configuration(layer_class):
    arguments = {**ARGUMENTS[layer_class], "implementation": "plain"}
    # `capacity` and another pairing exclude each other.
    known = set(inspect.signature(layer_class).parameters) - {"units", "kwargs"}
    assert known - set(arguments) <= {"capacity", "pairing"}

    config = json.loads(json.dumps(layer_class(4, **arguments).get_config()))

    for name, value in arguments.items():
        expected = value
        if name.endswith("_initializer"):
            expected = json.loads(
                json.dumps(keras.initializers.serialize(keras.initializers.get(value)))
            )
        assert config[name] == expected, name
    assert layer_class.from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("fast", "slow", "message"),
    [
        (LNLSTMCell(3), RUMCell(3), "fast_cells must be a list of two or more cells"),
        ([3, 3], RUMCell(3), "must be cells, such as .*, got 3"),
        (
            [LNLSTMCell(3), LNLSTMCell(3)],
            keras.layers.GRU(3),
            "must be cells, such as .*, got <GRU",
        ),
        ([LNLSTMCell(3), LNLSTMCell(3)], None, "must be cells, such as .*, got None"),
    ],
)
def test_a_fast_slow_rnn_is_made_of_cells(fast, slow, message):
    with pytest.raises(ValueError, match=message):
        FSRNNCell(fast, slow)
