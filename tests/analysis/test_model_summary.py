import pytest

from rumcli.analysis.model_summary import summarize
from tests import small


def test_the_layers_and_their_weights_add_up():
    found = summarize(small.run_config("copying", "rum", settings=["model.layers=2"]), "mine")
    assert [layer.name for layer in found.layers] == [
        "one_hot",
        "cell",
        "dropout",
        "cell_2",
        "dropout_2",
        "output_scale",
        "logits",
    ]
    # Of a RUM with D inputs and H units: [D + H, 2H] and 2H of the gates, [D, H] of the inputs.
    weights = [(D + 8) * 16 + 16 + D * 8 for D in (10, 8)]
    assert [layer.weights for layer in found.layers if layer.kind == "RUM"] == weights
    assert found.weights == sum(layer.weights for layer in found.layers)
    assert found.layers[1].output_shape == ["B", 24, 8]
    assert found.symbols is None


def test_symbol_count_without_a_text_is_that_of_penn_treebank():
    found = summarize(small.run_config("ptb"), "mine")
    assert found.symbols == 50
    assert found.layers[0].weights == 50 * 5
    assert found.layers[-1].output_shape == ["B", 6, 50]


@pytest.mark.parametrize("task", ["copying", "ptb"])
def test_the_cells_of_a_fast_slow_network_are_named(task):
    found = summarize(small.run_config(task, "fsrnn", settings=["cell.slow.units=11"]), "mine")
    cell = next(layer for layer in found.layers if layer.name == "cell")
    assert cell.kind == "FSRNN"
    assert [part.kind for part in cell.parts] == ["LNLSTMCell", "RUMCell", "LNLSTMCell"]
    assert [part.output_shape for part in cell.parts] == [["B", 8], ["B", 11], ["B", 8]]
    assert cell.weights == sum(part.weights for part in cell.parts)


def test_stories_are_assumed_to_be_generated():
    found = summarize(small.run_config("babi", settings=["task.subtask=all"]), "mine")
    assert found.symbols is None
    (logits,) = [layer for layer in found.layers if layer.name == "logits"]
    assert logits.output_shape == ["B", 6], "of the first subtask, with six places"
