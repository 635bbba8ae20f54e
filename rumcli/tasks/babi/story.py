"""A story of bAbI: numbered lines, each a statement or a question; and its official text format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# In the published files a blank stands before the tab that follows these tasks' questions.
BLANK_BEFORE_TAB = frozenset({1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence with its full stop, as in `Mary went to the kitchen.`, that says something."""

    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence that asks something.

    Args:
        text: With its question mark, without the blank after it.
        answer: As in the files; several words are one answer, joined by commas without blanks.
        supporting: Numbers, from 1, of the story's lines that the answer follows from, in the
            order of the official files.
    """

    text: str
    answer: str
    supporting: tuple[int, ...]


Line = Statement | Question


@dataclass(frozen=True, slots=True)
class Story:
    """Lines that are numbered together, from 1, questions included."""

    lines: tuple[Line, ...]

    @property
    def questions(self) -> int:
        """The number of its questions."""
        return sum(isinstance(line, Question) for line in self.lines)

    def until(self, question: int) -> Story:
        """Return the story up to a question of it, from 1 on, that question included."""
        asked = [number for number, line in enumerate(self.lines, 1) if isinstance(line, Question)]
        return Story(self.lines[: asked[question - 1]])

    def text(self, subtask: int) -> str:
        """Return the story as it stands in an official file of that subtask, 1 to 20."""
        tab = " \t" if subtask in BLANK_BEFORE_TAB else "\t"
        return "".join(f"{n} {_text(line, tab)}\n" for n, line in enumerate(self.lines, 1))


def to_text(stories: Iterable[Story], subtask: int) -> str:
    """Return stories one after the other, in the official format."""
    return "".join(story.text(subtask) for story in stories)


def _text(line: Line, tab: str) -> str:
    if isinstance(line, Statement):
        return line.text
    return f"{line.text}{tab}{line.answer}\t{' '.join(map(str, line.supporting))}"
