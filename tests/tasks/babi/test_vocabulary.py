""""""

import pytest

from rumcli.errors import ConfigError
from rumcli.tasks.babi import vocabulary
from rumcli.tasks.babi.stories import Question, Statement, Story
from rumcli.tasks.babi.vocabulary import WordVocabulary, question_examples, tokenize

STORY = Story(
    (
        Statement("Mary got the milk."),
        Statement("Mary got the football."),
        Question("What is Mary carrying?", "milk,football", (1, 2)),
        Statement("Mary went to the garden."),
        Question("Where is Mary?", "garden", (4,)),
    )
)

QUESTIONS = list(question_examples([STORY]))
WORDS = WordVocabulary.of(QUESTIONS)
SIZES = vocabulary.Sizes.of(QUESTIONS)


def test_words_are_lowercase_and_punctuation_marks_are_words():
    assert tokenize("Where is Mary?") == ["where", "is", "mary", "?"]
    assert tokenize("Marie est à l'école.") == ["marie", "est", "à", "l", "'", "école", "."]


def test_a_question_comes_with_all_statements_before_it_and_no_question():
    first, second = question_examples([STORY])
    assert [" ".join(words) for words in first.statements] == [
        "mary got the milk .",
        "mary got the football .",
    ]
    assert second.statements[:2] == first.statements
    assert (second.lines, second.supporting) == ([1, 2, 4], (4,))


def test_an_answer_of_several_words_is_one_class():
    words = WordVocabulary.of(question_examples([STORY]))
    assert words.answers == ("garden", "milk,football")
    assert words.answer_number("milk,football", "here") == 1


def test_words_are_numbered_from_one_in_alphabetical_order():
    words = WordVocabulary.of(question_examples([STORY]))
    assert [words.number(word, "here") for word in words.words] == list(range(1, 15))
    assert list(words.words) == sorted(words.words)


def test_unknown_words_are_named_with_their_position():
    words = WordVocabulary.of(question_examples([STORY]))
    with pytest.raises(ConfigError, match="there: the word 'zoo' is not in the vocabulary"):
        words.number("zoo", "there")
    with pytest.raises(ConfigError, match="there: the answer 'zoo' is not in the vocabulary"):
        words.answer_number("zoo", "there")


def spelled(numbers):
    return " ".join(WORDS.words[number - 1] if number else "-" for number in numbers)


def test_sizes_are_maxima_over_stories():
    assert vocabulary.Sizes(words=20, sentences=3, sentence=6) == SIZES


def test_words_of_story_and_question_are_right_aligned():
    rows = vocabulary.word_rows(QUESTIONS, WORDS, 21, "here")
    assert spelled(rows[0]) == (
        "- - - - - - mary got the milk . mary got the football . what is mary carrying ?"
    )
    assert spelled(rows[1]).endswith("mary went to the garden . where is mary ?")


def test_sentences_fill_the_last_rows_and_are_left_aligned():
    tables, questions = vocabulary.sentence_tables(QUESTIONS, WORDS, SIZES, "here")
    assert tables.shape == (2, 3, 6)
    assert [spelled(row) for row in tables[0]] == [
        "- - - - - -",
        "mary got the milk . -",
        "mary got the football . -",
    ]
    assert spelled(questions[1]) == "where is mary ? - -"


def test_answers_are_classes():
    assert list(vocabulary.answers(QUESTIONS, WORDS, "here")) == [1, 0]


def test_unknown_word_is_reported():
    others = WordVocabulary(("mary",), ("garden",))
    with pytest.raises(ConfigError, match="here: the word 'got'"):
        vocabulary.word_rows(QUESTIONS, others, 30, "here")
    with pytest.raises(ConfigError, match="here: the answer 'milk,football'"):
        vocabulary.answers(QUESTIONS, others, "here")
