import pytest

from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Question, Statement, Story
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
    with pytest.raises(ConfigError, match="there: the word 'zoo' is not one that the run knows"):
        words.number("zoo", "there")
    with pytest.raises(ConfigError, match="there: the answer 'zoo' is not one"):
        words.answer_number("zoo", "there")
