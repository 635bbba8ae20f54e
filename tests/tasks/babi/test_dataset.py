""""""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.babi.dataset import BabiDataset, BucketSampler, StoryCollection
from rumcli.tasks.babi.stories import Statement, Story
from tests import babi

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=60).map(np.array)
sizes = st.integers(1, 20)


@pytest.fixture
def collection():
    made = babi.make_stories(30)
    return StoryCollection(
        "here", {"train": made[:20], "validation": made[20:25], "test": made[25:]}
    )


def test_words_and_answers_cover_all_splits(collection):
    stories = BabiDataset.of(collection)
    assert stories.words.answers == ("garden", "kitchen")
    assert "sandra" in stories.words.words
    assert {split: len(asked) for split, asked in stories.questions.items()} == {
        "train": 40,
        "validation": 10,
        "test": 10,
    }


def test_the_majority_is_the_share_of_the_most_frequent_answer_of_training(collection):
    stories = BabiDataset.of(collection)
    given = [asked.answer for asked in stories.questions["train"]]
    assert stories.majority == max(map(given.count, set(given))) / len(given)


def test_metadata_are_restored_without_the_questions(collection):
    stories = BabiDataset.of(collection)
    again = BabiDataset.from_json(stories.to_json())
    assert (again.words, again.sizes, again.majority) == (
        stories.words,
        stories.sizes,
        stories.majority,
    )
    assert again.questions == {}
    assert again.changed_splits(collection, SPLITS) == []


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": {"words": 1e999, "sentences": 1, "sentence": 1}},
        {"sizes": {"words": 10**12, "sentences": 1, "sentence": 1}},
        {"sizes": {"words": 0, "sentences": 1, "sentence": 1}},
        {"majority": float("nan")},
        {"majority": 0},
        {"answers": []},
        {"words": "abc"},
    ],
    ids=str,
)
def test_invalid_sizes_and_words_are_rejected(change):
    collection = StoryCollection("x", {split: babi.make_stories(4) for split in SPLITS})
    with pytest.raises(ConfigError, match="metadata of the stories is invalid"):
        BabiDataset.from_json({**BabiDataset.of(collection).to_json(), **change})


@pytest.mark.parametrize("content", [None, [], {}, {"words": 3}], ids=str)
def test_invalid_metadata_are_rejected(content):
    with pytest.raises(ConfigError, match="metadata of the stories is invalid"):
        BabiDataset.from_json(content)


def test_a_split_that_has_changed_is_named(collection):
    stories = BabiDataset.of(collection)
    other = StoryCollection("there", {**collection.stories, "test": babi.make_stories(5, seed=1)})
    assert stories.changed_splits(other, SPLITS) == ["test"]


def test_other_stories_are_read_in_the_vocabulary_of_the_run(collection):
    stories = BabiDataset.of(collection)
    other = stories.with_splits(
        StoryCollection("there", {"test": babi.make_stories(3, seed=1)}), ["test"]
    )
    assert other.words == stories.words
    assert list(other.questions) == ["test"]


def test_unreadable_stories_are_reported(collection):
    few = BabiDataset.of(StoryCollection("here", dict.fromkeys(SPLITS, babi.make_stories(1))))
    with pytest.raises(ConfigError, match="there, test stories: the word 'sandra'"):
        few.with_splits(StoryCollection("there", {"test": babi.make_stories(3)}), ["test"])


def test_stories_may_exceed_the_training_length_but_sentences_may_not(collection):
    stories = BabiDataset.of(collection)
    story = babi.make_stories(1)[0]
    longer = Story((*story.lines[:1] * 9, *story.lines))
    found = stories.with_splits(StoryCollection("there", {"test": [longer]}), ["test"])
    assert found.sizes.sentences == 11
    assert found.sizes.sentence == stories.sizes.sentence

    wordy = Story((Statement("Mary went to the the kitchen."), *story.lines))
    with pytest.raises(ConfigError, match="there, test stories: a sentence has 7 words; the model"):
        stories.with_splits(StoryCollection("there", {"test": [wordy]}), ["test"])


@given(lengths, sizes, st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_no_example_repeats_in_an_epoch(lengths, size, seed, number):
    passes = BucketSampler(lengths, size, seed)
    steps = range(number * passes.batches, (number + 1) * passes.batches)
    found = np.concatenate([passes.batch(step) for step in steps])
    assert len(found) == passes.batches * size
    # Where a batch has more than there are, each comes as often as the others, or once less.
    counts = np.bincount(found, minlength=len(lengths))
    assert counts.max() <= -(-size // len(lengths))


@given(lengths, sizes, st.integers(0, 2**32 - 1))
def test_batches_have_similar_lengths(lengths, size, seed):
    passes = BucketSampler(lengths, size, seed)
    batches = [lengths[passes.batch(step)] for step in range(passes.batches)]
    ordered = sorted(batches, key=lambda found: (found.min(), found.max()))
    for one, next_one in itertools.pairwise(ordered):
        assert one.max() <= next_one.min()


def test_a_batch_depends_on_seed_and_step_only():
    lengths = np.arange(100) % 7
    one, other = (BucketSampler(lengths, 8, seed=3) for _ in range(2))
    expected = [one.batch(step).tolist() for step in range(40)]
    found = {step: other.batch(step).tolist() for step in reversed(range(40))}
    assert expected == [found[step] for step in range(40)]
    assert BucketSampler(lengths, 8, seed=4).batch(0).tolist() != expected[0]
    assert expected[: one.batches] != expected[one.batches : 2 * one.batches]


def test_every_example_is_eventually_seen():
    passes = BucketSampler(np.ones(10), 4, seed=1)
    assert {int(n) for step in range(12) for n in passes.batch(step)} == set(range(10))
