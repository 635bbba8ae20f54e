import subprocess
import sys

import keras
import pytest

from rumcli import cells, config


def test_the_names_are_those_of_the_configuration():
    assert sorted(cells.names()) == sorted(config.names("cell"))


@pytest.mark.parametrize("name", cells.names())
def test_a_layer_is_made_by_name(name):
    layer = cells.make(name, 3, return_sequences=True, name="mine")
    assert isinstance(layer, keras.layers.RNN)
    assert layer.name == "mine"
    assert layer(keras.ops.ones((2, 4, 5))).shape == (2, 4, 3)


def test_every_layer_is_a_public_name_with_its_cell():
    for module in cells.modules():
        name = next(n for n in dir(cells) if getattr(cells, n).__module__ == module)
        assert getattr(cells, f"{name.removesuffix('Cell')}Cell").__module__ == module
    exec("from rumcli.cells import *", found := {})
    assert {"RUM", "RUMCell", "make", "rotate"} <= set(found)


def test_every_option_of_the_configuration_is_one_of_the_layer():
    for name in cells.names():
        options = config.schema.model_of("cell", name)().model_dump(exclude={"name", "units"})
        assert cells.make(name, 3, **options)


def test_a_fast_slow_rnn_is_made_of_cells_by_name():
    fast = {"name": "gru", "dropout": 0.1}
    slow = {"name": "rum", "units": 7, "time_norm": 1.0}
    layer = cells.make(
        "fsrnn", 5, fast=fast, num_fast_cells=3, slow=slow, dropout=0.2, dtype="float64"
    )
    assert [type(cell).__name__ for cell in layer.cell.fast_cells] == ["GRUCell"] * 3
    assert [cell.units for cell in layer.cell.cells] == [5, 7, 5, 5]
    assert {cell.compute_dtype for cell in layer.cell.cells} == {"float64"}
    assert layer.cell.slow_cell.time_norm == 1.0
    assert layer.cell.dropout == 0.2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"slow": {"name": "rim"}}, "unknown cell 'rim'; cells: rum"),
        ({"fast": {"zoneouts": 0.1}}, "cell 'lnlstm' has no option 'zoneouts'"),
        ({"slow": {"name": "fsrnn"}}, "cannot be a cell of another one"),
        ({"num_fast_cells": 1}, "fast_cells must be two or more cells, got 1"),
        ({"activation": "relu"}, "cell 'fsrnn' has no option 'activation'"),
    ],
)
def test_what_is_wrong_in_a_fast_slow_rnn_is_told(options, expected):
    with pytest.raises(ValueError, match=expected):
        cells.make("fsrnn", 3, **options)


def test_an_unknown_name_is_told_with_all_there_are():
    with pytest.raises(
        ValueError, match="unknown cell 'arun'; cells: rum, arum, lnlstm, eunn, goru, "
    ):
        cells.make("arun", 3)


def test_an_option_that_a_cell_does_not_have_is_told():
    with pytest.raises(ValueError, match="cell 'lstm' has no option 'time_norm'; its options: "):
        cells.make("lstm", 3, time_norm=1.0)


@pytest.mark.e2e
def test_the_public_names_are_there_and_keras_is_imported_for_them_only():
    code = (
        "import sys, rumcli.cells as cells\n"
        "assert 'keras' not in sys.modules and 'RUM' in dir(cells)\n"
        "from rumcli.cells import ARUM, ARUMCell, RUM, RUMCell, rotate, rotation_operator\n"
        "from rumcli.cells import EUNN, EUNNCell, GORU, GORUCell\n"
        "assert 'keras' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Rum'"):
        _ = cells.Rum
