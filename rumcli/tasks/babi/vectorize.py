"""Vectorization of questions and their stories as arrays of word indices, padded with 0.

There are two forms: a single row of words, and a table of sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from rumcli.tasks.babi.vocabulary import PADDING, QuestionExample, WordVocabulary

_DTYPE = np.int16  # storage type; `vocabulary.MOST` limits the number of words accordingly


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
            words=max(word_count(asked) for asked in questions),
            sentences=max(len(asked.statements) for asked in questions),
            sentence=max(max(map(len, [*asked.statements, asked.question])) for asked in questions),
        )

    def or_larger(self, other: Sizes) -> Sizes:
        """Return the elementwise maximum of two sizes."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Sizes(*map(max, pairs))


def word_count(asked: QuestionExample) -> int:
    """Return the number of words in a question and the statements before it."""
    return sum(map(len, asked.statements)) + len(asked.question)


def answers(questions: Sequence[QuestionExample], words: WordVocabulary, place: str) -> np.ndarray:
    """Return the class indices of the answers, `[N]` int32.

    Args:
        questions: N questions.
        words: Vocabulary.
        place: Source of the questions, for messages.

    Raises:
        ConfigError: If an answer is not in the vocabulary.
    """
    return np.array([words.answer_number(asked.answer, place) for asked in questions], np.int32)


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
    for row, asked in zip(rows, questions, strict=True):
        tokens = [word for sentence in asked.statements for word in sentence] + asked.question
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
    asked_for = np.full((len(questions), sizes.sentence), PADDING, _DTYPE)
    for table, row, asked in zip(tables, asked_for, questions, strict=True):
        first = sizes.sentences - len(asked.statements)
        for number, sentence in enumerate(asked.statements, first):
            table[number, : len(sentence)] = [words.number(word, place) for word in sentence]
        row[: len(asked.question)] = [words.number(word, place) for word in asked.question]
    return tables, asked_for
