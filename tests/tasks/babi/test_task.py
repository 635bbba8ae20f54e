""""""

import keras
import numpy as np
import pytest

from rumcli import config
from rumcli.config import Split
from rumcli.tasks import registry
from rumcli.tasks.babi import task as babi_task
from rumcli.tasks.babi.dataset import BabiDataset, StoryCollection
from rumcli.training.evaluation import evaluate
from tests import babi, small

LEVELS = ("words", "sentences")


def make_task(level="words", *settings):
    chosen = {
        ("task", "name"): "babi",
        ("cell", "name"): "gru",  # the model is the same for every cell, and this compiled soonest
        ("cell", "units"): 16,
        ("train", "batch_size"): 8,
    }
    settings = [f"task.input_level={level}", *settings]
    run = config.build(None, settings, chosen)
    made = babi.make_stories(40)
    parts = {"train": made[:24], "validation": made[24:32], "test": made[32:]}
    return registry.make(run, BabiDataset.of(StoryCollection("here", parts)))


@pytest.mark.parametrize("level", LEVELS)
def test_an_evaluation_has_every_question_once(level):
    task = make_task(level)
    batches = [task.evaluation_batch(Split.TEST, n) for n in range(task.num_batches(Split.TEST))]
    answers = np.concatenate([targets for _, targets in batches])
    words = task.stories.words
    assert [words.answers[number] for number in answers] == [
        asked.answer for asked in task.stories.questions["test"]
    ]
    assert task.num_samples(Split.TEST) == 16


@pytest.mark.parametrize("level", LEVELS)
def test_padding_changes_no_answer(level):
    task = make_task(level)
    longer = make_task(level)
    sizes = vars(longer.stories.sizes)
    grown = type(longer.stories.sizes)(**{**sizes, "words": sizes["words"] + 9, "sentences": 9})
    object.__setattr__(longer.stories, "sizes", grown)
    longer = type(longer)(longer.config, longer.stories)
    keras.utils.set_random_seed(1)
    model, other = task.model(), longer.model()
    other.set_weights(model.get_weights())
    one = model(task.evaluation_batch(Split.TEST, 0)[0])
    two = other(longer.evaluation_batch(Split.TEST, 0)[0])
    np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (one, two)), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["words", "sentences"])
def test_model_learns_where_everyone_is(level):
    keras.utils.set_random_seed(1)
    task = make_task(level, "optimizer.learning_rate=0.005")
    model = task.model()
    for step in range(200):
        loss, _ = model.train_on_batch(*task.training_batch(step))
    inputs, answers = task.evaluation_batch(Split.TEST, 0)
    right = model.predict_on_batch(inputs).argmax(axis=-1) == answers
    assert loss < 0.4
    assert right.mean() > 0.8


def test_attention_is_over_the_sentences_of_the_story():
    task = make_task("sentences")
    inputs, _ = task.evaluation_batch(Split.TEST, 0)
    scores, weights = task.with_attention(task.model()).predict_on_batch(inputs)
    assert scores.shape == (16, 2)
    assert weights.shape == (16, 3, task.stories.sizes.sentences)
    there = (inputs["sentences"] != 0).any(axis=-1)
    np.testing.assert_allclose((weights * there[:, None]).sum(axis=-1), 1, atol=1e-5)


def test_words_have_no_attention():
    task = make_task("words")
    assert len(task.with_attention(task.model()).outputs) == 1


def test_baseline_is_the_majority():
    task = make_task()
    assert task.baseline.label == "majority"
    assert task.baseline.value == task.stories.majority
    assert task.steps_per_epoch == 6


def test_data_of_another_task_are_rejected():
    run = config.build(None, [], {("task", "name"): "copying"})
    with pytest.raises(ValueError, match="dataset"):
        registry.make(run, make_task().stories)
    with pytest.raises(ValueError, match="dataset"):
        registry.make(config.build(None, [], {("task", "name"): "babi"}), None)


@pytest.mark.parametrize("level", [pytest.param("words", marks=pytest.mark.slow), "sentences"])
def test_every_question_has_the_evaluated_prediction(level):
    task = small.task(small.run_config("babi", settings=[f"task.input_level={level}"]))
    model = task.model()
    model.run_eagerly = True  # tracing takes longer
    answered = babi_task.answer(task, model, Split.TEST)
    assert [one.example for one in answered] == list(task.stories.questions[Split.TEST])
    right = np.mean([one.answer == one.example.answer for one in answered])
    assert right == pytest.approx(evaluate(task, model, Split.TEST)["accuracy"])
    assert all(0 < one.probability <= 1 for one in answered)
    rows = babi_task.confusion(answered)
    assert sum(row["questions"] for row in rows) == len(answered)
    looks = babi_task.prediction_examples(answered, 1)[0]["story"][0]["attention"]
    assert (looks is None) == (level == "words")
