"""Tokenization of sentences, and the vocabulary of a subtask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Question, Statement, Story

PADDING = 0
MOST = 2**15 - 1  # words; their indices are stored as int16

_TOKEN = re.compile(r"\w+|[^\w\s]")


def tokenize(sentence: str) -> list[str]:
    """Split a sentence into lowercase words and punctuation marks.

    Lowercase, because questions may lowercase the names with which statements begin.
    """
    return _TOKEN.findall(sentence.lower())


@dataclass(frozen=True)
class QuestionExample:
    """A tokenized question with the statements before it in its story.

    Args:
        statements: Tokens of each statement, in order.
        question: Tokens of the question.
        answer: Answer, a single class even if it has several words, as in `football,milk`.
        story: Index of the story, from 0.
        lines: Line numbers of the statements in the story.
        supporting: Line numbers of the supporting facts in the story.
    """

    statements: list[list[str]]
    question: list[str]
    answer: str
    story: int
    lines: list[int]
    supporting: tuple[int, ...]


def question_examples(stories: Iterable[Story]) -> Iterator[QuestionExample]:
    """Iterate over the questions of stories."""
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
    """The words and answers of a subtask.

    Args:
        words: Words in alphabetical order; indices start at 1, as 0 is padding.
        answers: Answers in alphabetical order; indices start at 0.
    """

    words: tuple[str, ...]
    answers: tuple[str, ...]

    @classmethod
    def of(cls, questions: Iterable[QuestionExample]) -> WordVocabulary:
        """Build the vocabulary of questions and the statements before them.

        Args:
            questions: Questions with their statements.

        Raises:
            ConfigError: If there are more than `MOST` words.
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
        """Return the index of a word, from 1.

        Args:
            word: Word to look up.
            place: Source of the word, for the error message.

        Raises:
            ConfigError: If the word is not in the vocabulary.
        """
        try:
            return self._numbers[word]
        except KeyError:
            raise ConfigError(f"{place}: the word '{word}' is not one that the run knows") from None

    def answer_number(self, answer: str, place: str) -> int:
        """Return the class index of an answer, from 0.

        Args:
            answer: Answer to look up.
            place: Source of the answer, for the error message.

        Raises:
            ConfigError: If the answer is not in the vocabulary.
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
