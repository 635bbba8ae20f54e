"""The course that all stories about people in places share: two statements, a question, and again.

A question is about something said lately. Where nothing of that can be asked about, the story goes
on with two more statements first.
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
# In the published files, no question but those of task 14 is about anything said before that.
RECENT = 5

Said = TypeVar("Said")


class StoryBuilder(ABC, Generic[Said]):
    """Somebody who tells a story.

    Args:
        rng: Where all draws come from.

    Attributes:
        recent: What was said last, at most five items, the oldest first.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.recent: deque[Said] = deque(maxlen=RECENT)
        self._lines: list[Line] = []

    @abstractmethod
    def tell(self) -> None:
        """Let something happen, and say it."""

    @abstractmethod
    def ask(self) -> Question | None:
        """Ask about something recent, or return None if there is nothing to ask about."""

    @property
    def next_line(self) -> int:
        """The number, from 1, of the line that will be said next."""
        return len(self._lines) + 1

    def say(self, wordings: tuple[Statement, ...]) -> None:
        """Add a statement, in one of the given wordings."""
        self._lines.append(pick(self.rng, wordings))

    def story(self) -> Story:
        """Tell a story with five questions."""
        asked = 0
        while asked < QUESTIONS:
            for _ in range(STATEMENTS):
                self.tell()
            question = self.ask()
            if question is not None:
                self._lines.append(question)
                asked += 1
        return Story(tuple(self._lines))
