"""Traces of layers match their outputs in the model."""

import keras
import numpy as np
import pytest

from rumcli.analysis.introspection import trace_example
from rumcli.config import Split
from rumcli.errors import ConfigError
from tests import small

LAYERS = ["model.layers=2"]
PUBLISHED = [*LAYERS, "cell.layer_norm=true", "cell.layer_norm_order=after_sigmoid"]


def make_model(task, cell, tmp_path, settings=(), **flags):
    keras.utils.set_random_seed(5)
    if task == "ptb":
        flags["task__data"] = str(small.write_text(tmp_path / "text"))
    found = small.task(small.run_config(task, cell, settings=settings, **flags))
    return found, found.model()


def outputs(model, names, inputs):
    """Return the outputs of layers, as the model computes them."""
    parts = [model.get_layer(name).output for name in names]
    found = keras.Model(model.inputs, parts).predict_on_batch(inputs)
    return found if isinstance(found, list) else [found]


def layer_norms(seen):
    return [layer.traces[0].norms for layer in seen.layers]


def test_stacked_layers_of_one_hot_symbols(tmp_path):
    task, model = make_model("copying", "arum", tmp_path, LAYERS)
    seen = trace_example(task, model, Split.TEST, 9)
    # Batches of 4 or 5: some later one has it.
    inputs, _ = task.examples(Split.TEST, 9, 1)
    for found, expected in zip(
        layer_norms(seen), outputs(model, ["cell", "cell_2"], inputs), strict=True
    ):
        np.testing.assert_allclose(found, np.linalg.norm(expected[0], axis=1), rtol=1e-4)
    assert seen.steps == [{0: "·", 9: "→"}.get(symbol, str(symbol)) for symbol in inputs[0]]
    assert seen.layers[1].traces[0].spectrum.shape == (24, 8)


def test_window_continues_the_state_of_the_previous_one(tmp_path):
    task, model = make_model("ptb", "rum", tmp_path, PUBLISHED)
    # Given the outputs of the model over three windows of three streams,
    names = ["cell", "cell_2"]
    feed = keras.Model(model.inputs, [model.get_layer(name).output for name in names])
    for number in range(3):
        inputs, _, _ = task.evaluation_batch(Split.VALIDATION, number)
        expected = feed.predict_on_batch(inputs)
    # when the last one's second stream is looked at,
    seen = trace_example(task, model, Split.VALIDATION, 2 * 3 + 1)
    # then it is the same.
    for found, output in zip(layer_norms(seen), expected, strict=True):
        np.testing.assert_allclose(found, np.linalg.norm(output[1], axis=1), rtol=1e-4)
    classes = task.text.vocabulary.decode(inputs["symbols"][1]).decode()
    assert "".join(seen.steps) == classes
    assert seen.layers[0].traces[0].update_gates.shape == (6, 8)


@pytest.mark.e2e
def test_backward_layer_is_marked_and_padding_is_removed(tmp_path):
    task, model = make_model("babi", "rum", tmp_path, LAYERS)
    number = int(np.argmax([len(one.statements) for one in task.stories.questions["validation"]]))
    seen = trace_example(task, model, Split.VALIDATION, number)
    asked = task.stories.questions["validation"][number]
    assert seen.steps == [" ".join(sentence) for sentence in asked.statements]
    assert [layer.backwards for layer in seen.layers] == [False, True]
    inputs = {
        name: array[number : number + 1] for name, array in task._inputs["validation"].items()
    }
    expected = [
        np.linalg.norm(output[0], axis=1)[-len(seen.steps) :]
        for output in outputs(model, ["cell", "cell_2"], inputs)
    ]
    np.testing.assert_allclose(layer_norms(seen)[0], expected[0], rtol=1e-4)
    np.testing.assert_allclose(layer_norms(seen)[1], expected[1][::-1], rtol=1e-4)


def test_word_steps_are_labeled(tmp_path):
    task, model = make_model("babi", "gru", tmp_path, ["task.input_level=words"])
    seen = trace_example(task, model, Split.TEST, 0)
    asked = task.stories.questions["test"][0]
    assert seen.steps == [word for one in [*asked.statements, asked.question] for word in one]
    assert len(layer_norms(seen)[0]) == len(seen.steps)


def test_keys_and_values_of_recall_have_different_labels(tmp_path):
    task, model = make_model("recall", "gru", tmp_path)
    seen = trace_example(task, model, Split.TEST, 0)
    assert sorted(seen.steps[:4:2]) == ["k1", "k2"]
    assert all(value.isdigit() for value in seen.steps[1:4:2])
    assert seen.steps[4:6] == ["·", "·"]
    assert seen.steps[6] in ("k1", "k2")


@pytest.mark.parametrize(
    ("task", "example", "expected"),
    [
        ("copying", 20, "there is no example 20 in the test split; the last one is 19"),
        ("ptb", 90, "example 90 lies behind the end of the test text"),
    ],
)
def test_missing_example_is_reported(tmp_path, task, example, expected):
    # Of 156 characters, 100 streams have two each, or none.
    settings = ["task.eval_batch_size=100"] if task == "ptb" else []
    task, model = make_model(task, "gru", tmp_path, settings)
    with pytest.raises(ConfigError, match=expected):
        trace_example(task, model, Split.TEST, example)
