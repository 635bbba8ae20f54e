import pytest

from rumcli.data.babi import arrays
from rumcli.data.babi.words import Words, asked_in
from rumcli.errors import ConfigError

from .test_words import STORY

QUESTIONS = list(asked_in([STORY]))
WORDS = Words.of(QUESTIONS)
SIZES = arrays.Sizes.of(QUESTIONS)


def spelled(numbers):
    return " ".join(WORDS.words[number - 1] if number else "-" for number in numbers)


def test_sizes_are_those_of_the_longest_story():
    assert arrays.Sizes(words=20, sentences=3, sentence=6) == SIZES


def test_words_of_story_and_question_are_right_aligned():
    rows = arrays.word_rows(QUESTIONS, WORDS, 21, "here")
    assert spelled(rows[0]) == (
        "- - - - - - mary got the milk . mary got the football . what is mary carrying ?"
    )
    assert spelled(rows[1]).endswith("mary went to the garden . where is mary ?")


def test_sentences_fill_the_last_rows_and_are_left_aligned():
    tables, questions = arrays.sentence_tables(QUESTIONS, WORDS, SIZES, "here")
    assert tables.shape == (2, 3, 6)
    assert [spelled(row) for row in tables[0]] == [
        "- - - - - -",
        "mary got the milk . -",
        "mary got the football . -",
    ]
    assert spelled(questions[1]) == "where is mary ? - -"


def test_answers_are_classes():
    assert list(arrays.answers(QUESTIONS, WORDS, "here")) == [1, 0]


def test_unknown_word_is_reported():
    others = Words(("mary",), ("garden",))
    with pytest.raises(ConfigError, match="here: the word 'got'"):
        arrays.word_rows(QUESTIONS, others, 30, "here")
    with pytest.raises(ConfigError, match="here: the answer 'milk,football'"):
        arrays.answers(QUESTIONS, others, "here")
