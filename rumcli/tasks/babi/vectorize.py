"""Questions and the stories before them as arrays of word numbers, with 0 where nothing is.

Two forms: one row of words, and a table of sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from rumcli.tasks.babi.vocabulary import PADDING, QuestionExample, WordVocabulary

_DTYPE = np.int16  # of what is kept; `vocabulary.MOST` sees to it that there are not as many words


@dataclass(frozen=True)
class Sizes:
    """The longest that occurs.

    Args:
        words: Of a story and its question together.
        sentences: Of a story, without questions.
        sentence: Words of a sentence, or of a question.
    """

    words: int
    sentences: int
    sentence: int

    @classmethod
    def of(cls, questions: Sequence[QuestionExample]) -> Sizes:
        """Measure questions and the statements before them."""
        return cls(
            words=max(word_count(asked) for asked in questions),
            sentences=max(len(asked.statements) for asked in questions),
            sentence=max(max(map(len, [*asked.statements, asked.question])) for asked in questions),
        )

    def or_larger(self, other: Sizes) -> Sizes:
        """Return the larger of each."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Sizes(*map(max, pairs))


def word_count(asked: QuestionExample) -> int:
    """Return the number of words of a question and the statements before it."""
    return sum(map(len, asked.statements)) + len(asked.question)


def answers(questions: Sequence[QuestionExample], words: WordVocabulary, place: str) -> np.ndarray:
    """Return the numbers `[N]` of the answers, int32.

    Raises:
        ConfigError: If there is one that `words` does not have.
    """
    return np.array([words.answer_number(asked.answer, place) for asked in questions], np.int32)


def word_rows(
    questions: Sequence[QuestionExample], words: WordVocabulary, length: int, place: str
) -> np.ndarray:
    """Put the words of a story, then those of the question, into a row, at its end.

    Args:
        questions: N of them.
        words: Their numbers.
        length: L, at least that of the longest.
        place: Where the questions are from, for messages.

    Returns:
        `[N, L]` int16. Padding stands in front, so that the question is always at the end.

    Raises:
        ConfigError: If there is a word that `words` does not have.
    """
    rows = np.full((len(questions), length), PADDING, _DTYPE)
    for row, asked in zip(rows, questions, strict=True):
        tokens = [word for sentence in asked.statements for word in sentence] + asked.question
        row[length - len(tokens) :] = [words.number(word, place) for word in tokens]
    return rows


def sentence_tables(
    questions: Sequence[QuestionExample], words: WordVocabulary, sizes: Sizes, place: str
) -> tuple[np.ndarray, np.ndarray]:
    """Put each statement of a story into a row of a table, and the question into one of its own.

    Args:
        questions: N of them.
        words: Their numbers.
        sizes: S sentences of W words, at least the longest.
        place: Where the questions are from, for messages.

    Returns:
        Statements `[N, S, W]`, with empty rows before the first, and questions `[N, W]`, int16
        both; the padding of a sentence stands behind it.

    Raises:
        ConfigError: If there is a word that `words` does not have.
    """
    tables = np.full((len(questions), sizes.sentences, sizes.sentence), PADDING, _DTYPE)
    asked_for = np.full((len(questions), sizes.sentence), PADDING, _DTYPE)
    for table, row, asked in zip(tables, asked_for, questions, strict=True):
        first = sizes.sentences - len(asked.statements)
        for number, sentence in enumerate(asked.statements, first):
            table[number, : len(sentence)] = [words.number(word, place) for word in sentence]
        row[: len(asked.question)] = [words.number(word, place) for word in asked.question]
    return tables, asked_for
