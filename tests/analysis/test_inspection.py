"""Model summaries, and the loss landscape along filter-normalized directions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from keras import ops

from rumcli.analysis.inspection import (
    directions,
    explore_landscape,
    filter_normalized,
    first_batches,
    summarize_model,
)
from rumcli.config import Split
from rumcli.training.evaluation import evaluate
from tests import small


def test_the_layers_and_their_weights_add_up():
    found = summarize_model(small.run_config("copying", "rum", settings=["model.layers=2"]), "mine")
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
    found = summarize_model(small.run_config("ptb"), "mine")
    assert found.symbols == 50
    assert found.layers[0].weights == 50 * 5
    assert found.layers[-1].output_shape == ["B", 6, 50]


@pytest.mark.parametrize("task", ["copying", "ptb"])
def test_the_cells_of_a_fast_slow_network_are_named(task):
    found = summarize_model(
        small.run_config(task, "fsrnn", settings=["cell.slow.units=11"]), "mine"
    )
    cell = next(layer for layer in found.layers if layer.name == "cell")
    assert cell.kind == "FSRNN"
    assert [part.kind for part in cell.parts] == ["LNLSTMCell", "RUMCell", "LNLSTMCell"]
    assert [part.output_shape for part in cell.parts] == [["B", 8], ["B", 11], ["B", 8]]
    assert cell.weights == sum(part.weights for part in cell.parts)


def test_stories_are_assumed_to_be_generated():
    found = summarize_model(small.run_config("babi", settings=["task.subtask=all"]), "mine")
    assert found.symbols is None
    (logits,) = [layer for layer in found.layers if layer.name == "logits"]
    assert logits.output_shape == ["B", 6], "of the first subtask, with six places"


# Far from where squares underflow or overflow.
VALUES = st.floats(-1e3, 1e3).map(lambda value: 0.0 if abs(value) < 1e-3 else value)

WEIGHTS = arrays.arrays(
    "float64", arrays.array_shapes(min_dims=2, max_dims=4, max_side=5), elements=VALUES
)


def filter_norms(array):
    return np.linalg.norm(array.reshape(-1, array.shape[-1]), axis=0)


@given(WEIGHTS, st.integers(0, 2**31))
def test_each_filter_of_a_direction_has_the_norm_of_the_weights_filter(weight, seed):
    drawn = np.random.default_rng(seed).standard_normal(weight.shape)
    found = filter_normalized(drawn, weight)
    np.testing.assert_allclose(filter_norms(found), filter_norms(weight), rtol=1e-12)
    # Only the length of a filter changes.
    lengths = filter_norms(found) / filter_norms(drawn)
    np.testing.assert_allclose(found, drawn * lengths, rtol=1e-12)


@given(st.floats(0.01, 100), st.integers(0, 2**31))
def test_the_loss_along_a_direction_does_not_depend_on_the_scale_of_the_weights(scale, seed):
    weight = np.random.default_rng(3).standard_normal((4, 3))
    (one, _), (other, _) = directions([weight], seed), directions([scale * weight], seed)
    np.testing.assert_allclose(other[0], scale * one[0], rtol=1e-10)


def test_biases_and_gains_are_not_perturbed():
    first, second = directions([np.ones(4), np.ones((2, 2))], seed=1)
    assert not first[0].any()
    assert not second[0].any()
    assert first[1].all()


def test_directions_depend_on_the_seed_only():
    weights = [np.ones((30, 20)), np.full((5, 4), 2.0)]
    one, again, other = (directions(weights, seed) for seed in (1, 1, 2))
    for (first, second), (first_again, second_again) in ((one, again),):
        np.testing.assert_array_equal(first[0], first_again[0])
        np.testing.assert_array_equal(second[1], second_again[1])
    assert np.abs(one[0][0] - other[0][0]).max() > 0.1
    # Two directions with 600 entries are nearly orthogonal.
    cosine = np.vdot(one[0][0], one[1][0]) / np.vdot(one[0][0], one[0][0])
    assert abs(cosine) < 0.2


@pytest.mark.parametrize("task", ["copying", "ptb"])
def test_center_is_the_evaluation_loss_and_weights_are_restored(tmp_path, task):
    # Given a model and a split of several batches, of which those of a text have weights,
    text = {"task__data": str(small.write_text(tmp_path / "text"))} if task == "ptb" else {}
    made = small.task(small.run_config(task, **text))
    model = made.model()
    before = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    count = made.num_batches(Split.VALIDATION)
    assert count > 1
    told = []

    # when the landscape is explored on all of them,
    found = explore_landscape(made, model, Split.VALIDATION, count + 1, 3, 0.5, 1, told.append)

    # then its center is the evaluation loss, within float32 rounding.
    expected = evaluate(made, model, Split.VALIDATION)["loss"]
    assert found.losses[1, 1] == pytest.approx(expected, rel=1e-5)
    assert found.losses.shape == (3, 3)
    assert len(np.unique(found.losses)) == 9
    assert found.ticks.tolist() == [-0.5, 0, 0.5]
    assert (found.batches, told[-1]) == (count, "landscape: point 9 of 9")
    for variable, value in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(variable), value)


def test_a_row_is_a_step_along_the_second_direction_and_a_column_along_the_first():
    made = small.task(small.run_config())
    model = made.model()
    weights = [ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    first, second = directions(weights, seed=4)
    found = explore_landscape(made, model, Split.TEST, 1, 3, 1.0, 4, lambda text: None)
    for variable, weight, one, other in zip(
        model.trainable_variables, weights, first, second, strict=True
    ):
        variable.assign(weight - one + other)
    batch = made.evaluation_batch(Split.TEST, 0)
    expected = model.evaluate(*batch, verbose=0, return_dict=True)["loss"]
    assert found.losses[2, 0] == pytest.approx(expected, rel=1e-5)


def test_some_windows_of_a_text_have_the_mean_over_their_own_characters(tmp_path):
    text = {"task__data": str(small.write_text(tmp_path / "text"))}
    made = small.task(small.run_config("ptb", **text))
    for count in (1, made.num_batches(Split.VALIDATION)):
        weights = np.stack([batch[2] for batch in first_batches(made, Split.VALIDATION, count)])
        assert weights.mean() == pytest.approx(1)
        assert len(np.unique(weights)) <= 2
