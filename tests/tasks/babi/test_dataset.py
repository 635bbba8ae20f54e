import pytest

from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.babi.dataset import BabiDataset, Collection
from rumcli.tasks.babi.story import Statement, Story
from tests import babi


@pytest.fixture
def collection():
    made = babi.make_stories(30)
    return Collection("here", {"train": made[:20], "validation": made[20:25], "test": made[25:]})


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
    assert again.changed(collection, SPLITS) == []


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
    collection = Collection("x", {split: babi.make_stories(4) for split in SPLITS})
    with pytest.raises(ConfigError, match="not what a run remembers"):
        BabiDataset.from_json({**BabiDataset.of(collection).to_json(), **change})


@pytest.mark.parametrize("content", [None, [], {}, {"words": 3}], ids=str)
def test_invalid_metadata_are_rejected(content):
    with pytest.raises(ConfigError, match="not what a run remembers"):
        BabiDataset.from_json(content)


def test_a_split_that_has_changed_is_named(collection):
    stories = BabiDataset.of(collection)
    other = Collection("there", {**collection.stories, "test": babi.make_stories(5, seed=1)})
    assert stories.changed(other, SPLITS) == ["test"]


def test_other_stories_are_read_in_the_vocabulary_of_the_run(collection):
    stories = BabiDataset.of(collection)
    other = stories.reading(Collection("there", {"test": babi.make_stories(3, seed=1)}), ["test"])
    assert other.words == stories.words
    assert list(other.questions) == ["test"]


def test_unreadable_stories_are_reported(collection):
    few = BabiDataset.of(Collection("here", dict.fromkeys(SPLITS, babi.make_stories(1))))
    with pytest.raises(ConfigError, match="there, test stories: the word 'sandra'"):
        few.reading(Collection("there", {"test": babi.make_stories(3)}), ["test"])


def test_a_story_may_be_longer_than_those_of_the_run_but_no_sentence(collection):
    stories = BabiDataset.of(collection)
    story = babi.make_stories(1)[0]
    longer = Story((*story.lines[:1] * 9, *story.lines))
    found = stories.reading(Collection("there", {"test": [longer]}), ["test"])
    assert found.sizes.sentences == 11
    assert found.sizes.sentence == stories.sizes.sentence

    wordy = Story((Statement("Mary went to the the kitchen."), *story.lines))
    with pytest.raises(ConfigError, match="there, test stories: a sentence has 7 words; the run"):
        stories.reading(Collection("there", {"test": [wordy]}), ["test"])
