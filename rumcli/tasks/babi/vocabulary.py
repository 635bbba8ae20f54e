"""Sentences as words, and words as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Question, Statement, Story

PADDING = 0
MOST = 2**15 - 1  # words: their numbers are kept in two bytes

_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokenize(sentence: str) -> list[str]:
    """Split a sentence into words and marks, in small letters.

    Small, because questions write names that statements begin with in small letters too.
    """
    return _TOKEN.findall(sentence.lower())


@dataclass(frozen=True)
class QuestionExample:
    """A question with the statements before it in its story, as tokens.

    Args:
        statements: The statements, each a list of tokens, in order.
        question: The tokens of the question.
        answer: One class, whatever it consists of: `football,milk`.
        story: Number of the story, from 0.
        lines: Numbers, in the story, of the statements.
        supporting: Numbers, in the story, of those that the answer follows from.
    """

    statements: list[list[str]]
    question: list[str]
    answer: str
    story: int
    lines: list[int]
    supporting: tuple[int, ...]


def question_examples(stories: Iterable[Story]) -> Iterator[QuestionExample]:
    """Go through the questions of stories."""
    for number, story in enumerate(stories):
        statements: list[list[str]] = []
        lines: list[int] = []
        for place, line in enumerate(story.lines, 1):
            if isinstance(line, Statement):
                statements.append(tokenize(line.text))
                lines.append(place)
            else:
                yield _asked(line, statements, lines, number)


def _asked(
    line: Question, statements: list[list[str]], lines: list[int], number: int
) -> QuestionExample:
    return QuestionExample(
        list(statements), tokenize(line.text), line.answer, number, list(lines), line.supporting
    )


@dataclass(frozen=True)
class WordVocabulary:
    """The words of a subtask, and its answers.

    Args:
        words: In alphabetical order. The first has the number 1: 0 is padding.
        answers: In alphabetical order, the first with the number 0.
    """

    words: tuple[str, ...]
    answers: tuple[str, ...]

    @classmethod
    def of(cls, questions: Iterable[QuestionExample]) -> WordVocabulary:
        """Collect what occurs in questions and the statements before them.

        Raises:
            ConfigError: If there are more words than there are numbers for.
        """
        words: set[str] = set()
        answers: set[str] = set()
        for asked in questions:
            words.update(asked.question, *asked.statements)
            answers.add(asked.answer)
        if len(words) > MOST:
            raise ConfigError(
                f"the stories have {len(words):,} different words; expected at most {MOST:,}"
            )
        return cls(tuple(sorted(words)), tuple(sorted(answers)))

    def number(self, word: str, place: str) -> int:
        """Return the number of a word, from 1.

        Raises:
            ConfigError: If there is no such word; it says `place`.
        """
        try:
            return self._numbers[word]
        except KeyError:
            raise ConfigError(f"{place}: the word '{word}' is not one that the run knows") from None

    def answer_number(self, answer: str, place: str) -> int:
        """Return the number of an answer, from 0.

        Raises:
            ConfigError: If there is no such answer; it says `place`.
        """
        try:
            return self._answer_numbers[answer]
        except KeyError:
            raise ConfigError(
                f"{place}: the answer '{answer}' is not one that the run knows"
            ) from None

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, 1)}

    @cached_property
    def _answer_numbers(self) -> dict[str, int]:
        return {answer: number for number, answer in enumerate(self.answers)}
