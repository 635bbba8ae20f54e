"""Base class of stories about people in places: two statements, one question, repeated.

A question is about a recent statement. If none of these allows a question, two more statements
come first.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

from rumcli.tasks.babi.generator.random_choice import pick
from rumcli.tasks.babi.story import Line, Question, Statement, Story

QUESTIONS = 5
STATEMENTS = 2
# In the published files, questions never concern older statements, except in subtask 14.
RECENT = 5

Said = TypeVar("Said")


class StoryBuilder(ABC, Generic[Said]):
    """Builder of a story with five questions.

    Args:
        rng: Random number generator for all draws.

    Attributes:
        recent: Latest items of the story, at most `RECENT`, oldest first. Subclasses define and
            append the items.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.recent: deque[Said] = deque(maxlen=RECENT)
        self._lines: list[Line] = []

    @abstractmethod
    def tell(self) -> None:
        """Simulate an event and add its statement."""

    @abstractmethod
    def ask(self) -> Question | None:
        """Return a question about something recent, or None if there is none to ask."""

    @property
    def next_line(self) -> int:
        """Number of the next line, from 1."""
        return len(self._lines) + 1

    def say(self, wordings: tuple[Statement, ...]) -> None:
        """Add a statement, in one of the given wordings."""
        self._lines.append(pick(self.rng, wordings))

    def story(self) -> Story:
        """Build the story."""
        asked = 0
        while asked < QUESTIONS:
            for _ in range(STATEMENTS):
                self.tell()
            question = self.ask()
            if question is not None:
                self._lines.append(question)
                asked += 1
        return Story(tuple(self._lines))
