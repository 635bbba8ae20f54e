"""Deterministic, unlimited generation of stories for each of the twenty subtasks.

The modules of the families build the stories; this module assigns them to splits.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

from rumcli.data.splits import stream_of
from rumcli.tasks.babi.generator import movement, people_and_objects, reasoning
from rumcli.tasks.babi.stories import Story

MakeStory = Callable[[random.Random], Story]

# Split by digest: training owns half of all possible stories, validation and test a quarter each.
_CLASSES = ("train", "validation", "test", "train")

# By number of the subtask.
FAMILIES: dict[int, MakeStory] = {
    1: movement.single_supporting_fact,
    2: people_and_objects.two_supporting_facts,
    3: people_and_objects.three_supporting_facts,
    4: reasoning.two_arg_relations,
    5: people_and_objects.three_arg_relations,
    6: people_and_objects.yes_no_questions,
    7: people_and_objects.counting,
    8: people_and_objects.lists_sets,
    9: movement.simple_negation,
    10: movement.indefinite_knowledge,
    11: movement.basic_coreference,
    12: movement.conjunction,
    13: movement.compound_coreference,
    14: movement.time_reasoning,
    15: reasoning.basic_deduction,
    16: reasoning.basic_induction,
    17: reasoning.positional_reasoning,
    18: reasoning.size_reasoning,
    19: reasoning.path_finding,
    20: reasoning.agents_motivations,
}


def stories(subtask: int, seed: int, split: str, questions: int) -> Iterator[Story]:
    """Generate stories until they have at least `questions` questions.

    No story can occur in two splits: a digest of its text determines the split.

    Args:
        subtask: Number of the subtask, 1 to 20.
        seed: Seed, at least 0.
        split: `"train"`, `"validation"` or `"test"`.
        questions: Minimum number of questions, at least 0. The last story is complete, so there
            may be a few more.

    Yields:
        The stories, in a fixed order.

    Raises:
        ValueError: If there is no such subtask or split.
    """
    if subtask not in FAMILIES:
        raise ValueError(f"unknown subtask {subtask}; subtasks: 1 to 20")
    make, stream = FAMILIES[subtask], stream_of(split)
    count, number = 0, 0
    while count < questions:
        story = make(random.Random(f"{seed}/{subtask}/{stream}/{number}"))
        number += 1
        if split_of(story, subtask) == split:
            count += story.questions
            yield story


def generate(subtask: int, seed: int, split: str, questions: int) -> Iterator[Story]:
    """Generate stories with exactly `questions` questions; the last story may be truncated.

    The published files are truncated in the same way. A truncated story cannot occur in another
    split, because all stories there are complete.

    Args:
        subtask: Number of the subtask, 1 to 20.
        seed: Seed, at least 0.
        split: `"train"`, `"validation"` or `"test"`.
        questions: Number of questions, at least 0.

    Yields:
        The stories, in a fixed order.

    Raises:
        ValueError: If there is no such subtask or split.
    """
    left = questions
    for story in stories(subtask, seed, split, questions):
        yield story if story.questions <= left else story.until(left)
        left -= story.questions


def split_of(story: Story, subtask: int) -> str:
    """Return the split of a story."""
    digest = hashlib.blake2b(story.text(subtask).encode(), digest_size=1).digest()
    return _CLASSES[digest[0] % len(_CLASSES)]
