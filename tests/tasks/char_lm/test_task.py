import math

import keras
import numpy as np
import pytest

from rumcli.config import Split
from tests import small


def characters(text, cell="rum", settings=(), **flags):
    keras.utils.set_random_seed(1)
    return small.task(
        small.run_config("ptb", cell, settings=settings, task__data=str(text), **flags)
    )


def evaluated(task, model, split=Split.TEST):
    batches = [task.evaluation_batch(split, number) for number in range(task.num_batches(split))]
    return model.evaluate((batch for batch in batches), steps=len(batches), verbose=0)


def test_evaluation_is_the_mean_over_all_characters_for_any_window(text):
    # Given windows of six steps, of which the last ones lie in part behind the text's end,
    task = characters(text)
    model = task.model()
    loss = evaluated(task, model)
    # when each stream is one long window, and the mean is taken here,
    whole = characters(text, settings=["task.bptt_steps=60"])
    long = whole.model()
    long.set_weights(model.get_weights())
    assert whole.num_batches(Split.TEST) == 1
    inputs, targets, weights = whole.evaluation_batch(Split.TEST, 0)
    logits = keras.ops.convert_to_numpy(long(inputs)).astype("float64")
    surprise = (
        np.log(np.exp(logits).sum(-1)) - np.take_along_axis(logits, targets[..., None], -1)[..., 0]
    )
    # then the loss is the same to float32's rounding, and nothing was left out.
    assert (weights > 0).sum() == task.num_samples(Split.TEST) == 156
    assert loss == pytest.approx(surprise[weights > 0].mean(), rel=1e-5)


def test_bits_and_perplexity_follow_from_the_loss(text):
    found = characters(text).derive_metrics({"loss": 1.5, "val_loss": 3.0})
    assert found["bits_per_character"] == 1.5 / math.log(2)
    assert found["perplexity"] == math.exp(1.5)
    assert found["val_bits_per_character"] == 3.0 / math.log(2)
    assert math.isfinite(characters(text).derive_metrics({"loss": 1e9})["perplexity"])


def test_stream_begins_in_the_first_window_of_an_epoch_and_an_evaluation(text):
    task = characters(text)
    assert task.steps_per_epoch == 14  # 700 characters in 8 streams, in windows of 6
    resets = [task.training_batch(step)[0]["reset"] for step in range(29)]
    assert [step for step, flags in enumerate(resets) if flags.any()] == [0, 14, 28]
    assert resets[0].all()
    resets = [task.evaluation_batch(Split.TEST, number)[0]["reset"] for number in range(9)]
    assert [flags.all() for flags in resets] == [True, *[False] * 8]


def test_training_keeps_its_state_after_an_evaluation(text):
    task = characters(text, "lstm", settings=["model.layers=2"])
    model = task.model()

    def states():
        return [w.numpy() for w in model.non_trainable_variables if w.name == "training_state"]

    model.train_on_batch(*task.training_batch(0))
    before = states()
    evaluated(task, model)
    assert len(before) == 4  # of two LSTMs two each
    for state, after in zip(before, states(), strict=True):
        assert np.array_equal(state, after)


def test_output_layer_and_embedding_are_initially_orthogonal(text):
    model = characters(text).model()
    size = characters(text).text.vocabulary.size
    embedding = model.get_layer("embedding").kernel.numpy()  # [6, 5]
    kernel, bias = model.get_layer("logits").get_weights()  # [8, 6]
    np.testing.assert_allclose(embedding.T @ embedding, np.eye(5), atol=1e-6)
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(size), atol=1e-6)
    assert not bias.any()


@pytest.mark.parametrize(
    ("cell", "layers"),
    [
        pytest.param("rum", 2, marks=pytest.mark.slow),
        pytest.param("arum", 1, marks=pytest.mark.slow),
        pytest.param("fsrnn", 1, marks=pytest.mark.slow),
        ("gru", 1),
    ],
)
def test_every_cell_reads_characters(text, cell, layers):
    task = characters(text, cell, settings=[f"model.layers={layers}", "model.dropout=0.2"])
    model = task.model()
    assert math.isfinite(model.train_on_batch(*task.training_batch(0)))


def test_baseline_is_the_symbol_entropy_without_a_published_value(text):
    baseline = characters(text).baseline
    counts = np.unique(
        np.frombuffer((text / "train.txt").read_bytes(), "uint8"), return_counts=True
    )
    shares = counts[1] / counts[1].sum()
    assert baseline.value == pytest.approx(-(shares * np.log2(shares)).sum())
    assert baseline.published is None
