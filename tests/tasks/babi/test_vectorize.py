import pytest

from rumcli.errors import ConfigError
from rumcli.tasks.babi import vectorize
from rumcli.tasks.babi.vocabulary import WordVocabulary, question_examples

from .test_vocabulary import STORY

QUESTIONS = list(question_examples([STORY]))
WORDS = WordVocabulary.of(QUESTIONS)
SIZES = vectorize.Sizes.of(QUESTIONS)


def spelled(numbers):
    return " ".join(WORDS.words[number - 1] if number else "-" for number in numbers)


def test_sizes_are_those_of_the_longest_story():
    assert vectorize.Sizes(words=20, sentences=3, sentence=6) == SIZES


def test_words_of_story_and_question_are_right_aligned():
    rows = vectorize.word_rows(QUESTIONS, WORDS, 21, "here")
    assert spelled(rows[0]) == (
        "- - - - - - mary got the milk . mary got the football . what is mary carrying ?"
    )
    assert spelled(rows[1]).endswith("mary went to the garden . where is mary ?")


def test_sentences_fill_the_last_rows_and_are_left_aligned():
    tables, questions = vectorize.sentence_tables(QUESTIONS, WORDS, SIZES, "here")
    assert tables.shape == (2, 3, 6)
    assert [spelled(row) for row in tables[0]] == [
        "- - - - - -",
        "mary got the milk . -",
        "mary got the football . -",
    ]
    assert spelled(questions[1]) == "where is mary ? - -"


def test_answers_are_classes():
    assert list(vectorize.answers(QUESTIONS, WORDS, "here")) == [1, 0]


def test_unknown_word_is_reported():
    others = WordVocabulary(("mary",), ("garden",))
    with pytest.raises(ConfigError, match="here: the word 'got'"):
        vectorize.word_rows(QUESTIONS, others, 30, "here")
    with pytest.raises(ConfigError, match="here: the answer 'milk,football'"):
        vectorize.answers(QUESTIONS, others, "here")
