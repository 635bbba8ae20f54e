import itertools
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question, Statement, to_text
from tests.tasks.babi import measures

SUBTASKS = sorted(story_generator.FAMILIES)
# For ten thousand questions, in CPU seconds.
LONGEST = 5.0
# Prints a checksum of stories of all subtasks; nothing but the standard library may vary it.
DIGEST = """
import hashlib
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import to_text
texts = [
    to_text(story_generator.stories(n, 1, "train", 25), n) for n in sorted(story_generator.FAMILIES)
]
print(hashlib.sha256("".join(texts).encode()).hexdigest())
"""

seeds = st.integers(0, 2**32 - 1)
splits = st.sampled_from(SPLITS)
subtasks = st.sampled_from(SUBTASKS)
of_each_subtask = pytest.mark.parametrize("subtask", SUBTASKS)


@given(seed=seeds, split=splits, subtask=subtasks)
def test_same_seed_makes_the_same_stories(seed, split, subtask):
    once = list(story_generator.stories(subtask, seed, split, 10))
    again = list(story_generator.stories(subtask, seed, split, 10))
    assert once == again


@given(seed=seeds, split=splits, subtask=subtasks)
def test_fewer_questions_are_the_first_of_more(seed, split, subtask):
    few = list(story_generator.stories(subtask, seed, split, 5))
    many = list(story_generator.stories(subtask, seed, split, 15))
    assert many[: len(few)] == few


@of_each_subtask
def test_another_seed_makes_other_stories(subtask):
    one = list(story_generator.stories(subtask, 1, "train", 50))
    other = list(story_generator.stories(subtask, 2, "train", 50))
    assert one != other


@pytest.mark.e2e
def test_stories_do_not_depend_on_how_python_hashes():
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


@given(seed=seeds, split=splits, subtask=subtasks)
def test_every_story_belongs_to_its_own_split_only(seed, split, subtask):
    stories = story_generator.stories(subtask, seed, split, 10)
    assert {story_generator.split_of(story, subtask) for story in stories} == {split}


@of_each_subtask
def test_no_story_occurs_in_two_splits(subtask):
    texts = {
        split: {story.text(subtask) for story in story_generator.stories(subtask, 1, split, 500)}
        for split in SPLITS
    }
    for one, other in itertools.combinations(SPLITS, 2):
        assert texts[one].isdisjoint(texts[other])


@given(seed=seeds, split=splits, subtask=subtasks, questions=st.integers(0, 30))
def test_requested_number_of_questions_comes_in_whole_stories(seed, split, subtask, questions):
    stories = list(story_generator.stories(subtask, seed, split, questions))
    made = [story.questions for story in stories]
    assert sum(made) >= questions
    assert sum(made[:-1]) < max(questions, 1)


@settings(max_examples=300)
@given(seed=seeds, subtask=subtasks)
def test_supporting_facts_are_earlier_statements_each_named_once(seed, subtask):
    for story in story_generator.stories(subtask, seed, "train", 5):
        for number, line in enumerate(story.lines, 1):
            if isinstance(line, Question):
                assert line.supporting
                assert len(set(line.supporting)) == len(line.supporting)
                assert all(1 <= n < number for n in line.supporting)
                assert all(isinstance(story.lines[n - 1], Statement) for n in line.supporting)


@of_each_subtask
def test_every_sentence_has_an_official_wording(subtask):
    published = measures.published(subtask).shares
    ours = measures.measure(story_generator.stories(subtask, 2, "train", 2000), subtask).shares
    assert set(ours["statement"]) <= set(published["statement"])
    assert set(ours["question"]) <= set(published["question"])
    assert set(ours["answer"]) <= set(published["answer"])


@of_each_subtask
def test_lines_are_numbered_from_1_in_each_story(subtask):
    text = to_text(story_generator.stories(subtask, 1, "train", 20), subtask)
    numbers = [int(line.split(" ", 1)[0]) for line in text.splitlines()]
    assert numbers[0] == 1
    assert all(b in (1, a + 1) for a, b in itertools.pairwise(numbers))


@pytest.mark.parametrize(("subtask", "split"), [(0, "train"), (21, "train"), (1, "dev")])
def test_an_unknown_subtask_or_split_is_rejected(subtask, split):
    with pytest.raises(ValueError, match="unknown"):
        next(story_generator.stories(subtask, 1, split, 1))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
@of_each_subtask
def test_ten_thousand_questions_take_less_than_five_seconds(subtask, split):
    start = time.process_time()
    for _ in story_generator.stories(subtask, 1, split, 10_000):
        pass
    assert time.process_time() - start < LONGEST
