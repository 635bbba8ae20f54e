"""Tokenization of sentences, the vocabulary of a subtask, and arrays of word indices padded with 0.

Questions and their stories have two forms as arrays: a single row of words, and a table of
sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property

import numpy as np

from rumcli.errors import ConfigError
from rumcli.tasks.babi.stories import Question, Statement, Story

PADDING = 0
MOST = 2**15 - 1  # words; their indices are stored as int16
_TOKEN = re.compile(r"\w+|[^\w\s]")

_DTYPE = np.int16  # storage type; `vocabulary.MOST` limits the number of words accordingly


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
                yield _example(line, statements, lines, number)


def _example(
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
        for example in questions:
            words.update(example.question, *example.statements)
            answers.add(example.answer)
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
        return _look_up(self._numbers, word, f"{place}: the word")

    def answer_number(self, answer: str, place: str) -> int:
        """Return the class index of an answer, from 0.

        Args:
            answer: Answer to look up.
            place: Source of the answer, for the error message.

        Raises:
            ConfigError: If the answer is not in the vocabulary.
        """
        return _look_up(self._answer_numbers, answer, f"{place}: the answer")

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, 1)}

    @cached_property
    def _answer_numbers(self) -> dict[str, int]:
        return {answer: number for number, answer in enumerate(self.answers)}


def _look_up(numbers: dict[str, int], key: str, label: str) -> int:
    try:
        return numbers[key]
    except KeyError:
        raise ConfigError(f"{label} '{key}' is not in the vocabulary") from None


@dataclass(frozen=True)
class Sizes:
    """Maximum sizes in a dataset.

    Args:
        words: Number of words in a story and its question together.
        sentences: Number of statements in a story.
        sentence: Number of words in a single statement or question.
    """

    words: int
    sentences: int
    sentence: int

    @classmethod
    def of(cls, questions: Sequence[QuestionExample]) -> Sizes:
        """Compute the maximum sizes over questions and the statements before them."""
        return cls(
            words=max(word_count(example) for example in questions),
            sentences=max(len(example.statements) for example in questions),
            sentence=max(
                max(map(len, [*example.statements, example.question])) for example in questions
            ),
        )

    def or_larger(self, other: Sizes) -> Sizes:
        """Return the elementwise maximum of two sizes."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Sizes(*map(max, pairs))


def word_count(example: QuestionExample) -> int:
    """Return the number of words in a question and the statements before it."""
    return sum(map(len, example.statements)) + len(example.question)


def answers(questions: Sequence[QuestionExample], words: WordVocabulary, place: str) -> np.ndarray:
    """Return the class indices of the answers, `[N]` int32.

    Args:
        questions: N questions.
        words: Vocabulary.
        place: Source of the questions, for messages.

    Raises:
        ConfigError: If an answer is not in the vocabulary.
    """
    return np.array([words.answer_number(example.answer, place) for example in questions], np.int32)


def word_rows(
    questions: Sequence[QuestionExample], words: WordVocabulary, length: int, place: str
) -> np.ndarray:
    """Vectorize each story and its question as one row of words, padded at the front.

    Args:
        questions: N questions.
        words: Vocabulary.
        length: Row length L, at least that of the longest question with its story.
        place: Source of the questions, for messages.

    Returns:
        `[N, L]` int16. The question is always at the end of the row.

    Raises:
        ConfigError: If a word is not in the vocabulary.
    """
    rows = np.full((len(questions), length), PADDING, _DTYPE)
    for row, example in zip(rows, questions, strict=True):
        tokens = [word for sentence in example.statements for word in sentence] + example.question
        row[length - len(tokens) :] = [words.number(word, place) for word in tokens]
    return rows


def sentence_tables(
    questions: Sequence[QuestionExample], words: WordVocabulary, sizes: Sizes, place: str
) -> tuple[np.ndarray, np.ndarray]:
    """Vectorize each story as a table of sentences, and its question as a separate row.

    Args:
        questions: N questions.
        words: Vocabulary.
        sizes: Table size: S sentences of W words, at least the maximum sizes of the questions.
        place: Source of the questions, for messages.

    Returns:
        Statements `[N, S, W]`, padded with empty rows at the front, and questions `[N, W]`. Both
        are int16, and each sentence is padded at its end.

    Raises:
        ConfigError: If a word is not in the vocabulary.
    """
    tables = np.full((len(questions), sizes.sentences, sizes.sentence), PADDING, _DTYPE)
    question_rows = np.full((len(questions), sizes.sentence), PADDING, _DTYPE)
    for table, row, example in zip(tables, question_rows, questions, strict=True):
        first = sizes.sentences - len(example.statements)
        for number, sentence in enumerate(example.statements, first):
            table[number, : len(sentence)] = [words.number(word, place) for word in sentence]
        row[: len(example.question)] = [words.number(word, place) for word in example.question]
    return tables, question_rows
