import numpy as np
import pytest

from rumcli.export import tf1_weights
from tests.original_checkpoint import FIRST, LAST, under, variables


@pytest.mark.parametrize("version", [FIRST, LAST])
@pytest.mark.parametrize("update_gate", [True, False])
@pytest.mark.parametrize(("layer_norm", "bias"), [(True, False), (False, True)])
def test_variables_of_both_original_versions_are_converted(version, update_gate, layer_norm, bias):
    # given
    theirs, ours = variables(3, 4, version, update_gate, layer_norm, bias)
    everything = under("rnn/rum_cell", theirs)
    names = tf1_weights.variables_of("rnn/rum_cell", everything)

    # when
    found = tf1_weights.convert({name: everything[name] for name in names}, "rnn/rum_cell")

    # then
    assert len(names) == len(theirs)
    assert (found.features, found.units) == (3, 4)
    assert (found.update_gate, found.layer_norm) == (update_gate, layer_norm)
    assert found.candidate_bias == bias
    assert set(found.weights) == set(ours)
    for name, expected in ours.items():
        np.testing.assert_array_equal(found.weights[name], expected)
    assert sum(map(len, found.names.values())) == len(theirs)


def test_scopes_of_cells_are_found():
    theirs, _ = variables(3, 4)
    names = [*under("a/cell_0/rum_cell", theirs), *under("a/cell_1/rum_cell", theirs)]
    assert tf1_weights.scopes(names) == ["a/cell_0/rum_cell", "a/cell_1/rum_cell"]
    assert tf1_weights.scopes(theirs) == [""]
    assert tf1_weights.scopes(["rnn/lstm_cell/kernel"]) == []


def test_missing_variable_is_named():
    theirs, _ = variables(3, 4, layer_norm=True)
    for name in theirs:
        if "candidate/fully" in name or "_1/weights" in name or name.startswith("gates/ln"):
            continue
        some = {f"x/{other}": array for other, array in theirs.items() if other != name}
        with pytest.raises(ValueError, match=f"the variable x/{name} is missing"):
            tf1_weights.convert(some, "x")


@pytest.mark.parametrize("shape", [(), (4,), (0, 4), (3, 4, 1), (8, 4)])
def test_wrong_shape_is_an_error(shape):
    theirs, _ = variables(3, 4)
    theirs["candidate/fully_connected/weights"] = np.zeros(shape, "float32")
    with pytest.raises(ValueError, match="expected"):
        tf1_weights.convert(theirs, "")


def test_non_floating_weights_are_an_error():
    theirs, _ = variables(3, 4)
    theirs["gates/fully_connected/biases"] = theirs["gates/fully_connected_1/biases"] = np.full(
        4, b"x"
    )
    with pytest.raises(ValueError, match="expected a floating-point dtype"):
        tf1_weights.convert(theirs, "")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_non_finite_weights_are_an_error(value):
    theirs, _ = variables(3, 4)
    theirs["candidate/fully_connected/weights"][1, 2] = value
    with pytest.raises(ValueError, match="fully_connected/weights with non-finite values"):
        tf1_weights.convert(theirs, "")
