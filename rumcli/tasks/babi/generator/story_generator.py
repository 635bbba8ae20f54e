"""Stories without end for each of the twenty subtasks, the same for the same seed.

The wording, the worlds and the questions are in the families' modules; here is which stories a
split gets.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator

from rumcli.data.splits import stream_of
from rumcli.tasks.babi.generator import (
    deduction_and_induction,
    locations_and_coreference,
    motivations,
    negation_and_uncertainty,
    people_and_objects,
    size_reasoning,
    spatial,
    supporting_facts,
    time_reasoning,
)
from rumcli.tasks.babi.story import Story

MakeStory = Callable[[random.Random], Story]

# Shares of all possible stories: half of them are training's, a quarter validation's and test's.
_CLASSES = ("train", "validation", "test", "train")

FAMILIES: dict[int, MakeStory] = {
    **locations_and_coreference.MAKE,
    **supporting_facts.MAKE,
    **spatial.MAKE,
    **people_and_objects.MAKE,
    **negation_and_uncertainty.MAKE,
    **time_reasoning.MAKE,
    **deduction_and_induction.MAKE,
    **size_reasoning.MAKE,
    **motivations.MAKE,
}


def stories(subtask: int, seed: int, split: str, questions: int) -> Iterator[Story]:
    """Make stories until they have at least so many questions.

    No story of a split can occur in another: a digest of its text decides whose it is.

    Args:
        subtask: 1 to 20.
        seed: At least 0.
        split: `"train"`, `"validation"` or `"test"`.
        questions: At least 0; the last story is whole, so that there may be a few more.

    Raises:
        ValueError: If there is no such subtask or split.
    """
    if subtask not in FAMILIES:
        raise ValueError(f"unknown subtask {subtask}; subtasks: 1 to 20")
    make, stream = FAMILIES[subtask], stream_of(split)
    made, number = 0, 0
    while made < questions:
        story = make(random.Random(f"{seed}/{subtask}/{stream}/{number}"))
        number += 1
        if split_of(story, subtask) == split:
            made += story.questions
            yield story


def generate(subtask: int, seed: int, split: str, questions: int) -> Iterator[Story]:
    """Make the stories of a file with so many questions: the last story ends with its last one.

    The published files do the same. What is left of a story is never a whole one, so that it can't
    be a story of another split.

    Args:
        subtask: 1 to 20.
        seed: At least 0.
        split: `"train"`, `"validation"` or `"test"`.
        questions: At least 0.

    Raises:
        ValueError: If there is no such subtask or split.
    """
    left = questions
    for story in stories(subtask, seed, split, questions):
        yield story if story.questions <= left else story.until(left)
        left -= story.questions


def split_of(story: Story, subtask: int) -> str:
    """Tell which split a story belongs to."""
    digest = hashlib.blake2b(story.text(subtask).encode(), digest_size=1).digest()
    return _CLASSES[digest[0] % len(_CLASSES)]
