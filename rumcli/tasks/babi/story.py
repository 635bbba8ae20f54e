"""bAbI stories of numbered statements and questions, and their official text format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# In the published files of these subtasks, a space precedes the tab after a question.
BLANK_BEFORE_TAB = frozenset({1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})


@dataclass(frozen=True, slots=True)
class Statement:
    """A declarative sentence with its full stop, as in `Mary went to the kitchen.`."""

    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer.

    Args:
        text: Question with its question mark, without a space after it.
        answer: Answer in the official form: several words are joined by commas, without spaces.
        supporting: Line numbers in the story, from 1, of the supporting facts, in the order of
            the official files.
    """

    text: str
    answer: str
    supporting: tuple[int, ...]


Line = Statement | Question


@dataclass(frozen=True, slots=True)
class Story:
    """A sequence of lines, numbered from 1; questions count as lines."""

    lines: tuple[Line, ...]

    @property
    def questions(self) -> int:
        """Number of questions in the story."""
        return sum(isinstance(line, Question) for line in self.lines)

    def until(self, question: int) -> Story:
        """Return the story up to and including a question, numbered from 1."""
        asked = [number for number, line in enumerate(self.lines, 1) if isinstance(line, Question)]
        return Story(self.lines[: asked[question - 1]])

    def text(self, subtask: int) -> str:
        """Return the story in the official file format of a subtask, 1 to 20."""
        tab = " \t" if subtask in BLANK_BEFORE_TAB else "\t"
        return "".join(f"{n} {_text(line, tab)}\n" for n, line in enumerate(self.lines, 1))


def to_text(stories: Iterable[Story], subtask: int) -> str:
    """Return the concatenated stories in the official format of a subtask."""
    return "".join(story.text(subtask) for story in stories)


def _text(line: Line, tab: str) -> str:
    if isinstance(line, Statement):
        return line.text
    return f"{line.text}{tab}{line.answer}\t{' '.join(map(str, line.supporting))}"
