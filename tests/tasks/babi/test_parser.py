import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.tasks.babi import parser
from rumcli.tasks.babi.story import Question, Statement, Story, to_text
from rumcli.tasks.babi.task_names import SUBTASKS
from tests.assertions import assert_error
from tests.tasks.babi import official

TEXT = (
    "1 Mary moved to the bathroom.\n"
    "2 John went to the hallway.\n"
    "3 Where is Mary? \tbathroom\t1\n"
    "4 Mary got the apple there.\n"
    "5 What is Mary carrying? \tapple,football\t4 1\n"
    "1 Daniel went to the garden.\n"
    "2 Where is Daniel? \tgarden\t1\n"
)
STORIES = [
    Story(
        (
            Statement("Mary moved to the bathroom."),
            Statement("John went to the hallway."),
            Question("Where is Mary?", "bathroom", (1,)),
            Statement("Mary got the apple there."),
            Question("What is Mary carrying?", "apple,football", (4, 1)),
        )
    ),
    Story((Statement("Daniel went to the garden."), Question("Where is Daniel?", "garden", (1,)))),
]


def parse(text):
    return parser.parse(text.encode(), "qa1.txt")


def test_a_file_is_read_as_its_stories():
    assert parse(TEXT) == STORIES


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.removesuffix("\n"),
        TEXT.replace(" \t", "\t"),
        TEXT.replace("\t", " \t "),
        TEXT.replace("\n", "  \n"),
        "\ufeff" + TEXT,
        TEXT.replace("1 Daniel", "\n1 Daniel"),
        "\ufeff\r\n" + TEXT.replace("1 Daniel", " \n\n1 Daniel").replace("\n", "\r\n") + "\n \t\n",
    ],
    ids=[
        "CRLF",
        "no last newline",
        "no blank before tabs",
        "blanks around tabs",
        "trailing",
        "byte-order mark",
        "blank line",
        "byte-order mark and blank lines with CRLF",
    ],
)
def test_invisible_differences_are_ignored(text):
    assert parse(text) == STORIES


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("bathroom\t1", "bathroom\t9", "line 3: there is no line 9 before line 3 of the story"),
        ("bathroom\t1", "bathroom\t3", "line 3: there is no line 3 before line 3 of the story"),
        ("4 1", "4 3", "line 5: line 3 of the story is a question; a supporting fact is a"),
        ("4 1", "4 x", "line 5: 'x' is no number of a supporting fact"),
        ("4 1", "0", "line 5: '0' is no number of a supporting fact"),
        ("4 1", "", "line 5: there are no supporting facts"),
        ("\tbathroom\t", "\t\t", "line 3: the answer is empty"),
        ("\tbathroom\t1", "", "line 3: there is no tab after the question; expected: question,"),
        (" \tbathroom", " bathroom", "line 3: a question has 2 tabs, this has 1"),
        (" \tbathroom\t", "bathroom", "line 3: a sentence ends with a full stop, 'Where is Mary"),
        ("Mary? \tb", "Mary? \tb\t", "line 3: a question has 2 tabs, this has 3"),
        ("Where is Daniel?", "Where is Daniel", "line 7: a question ends with a question mark"),
        ("the hallway.", "the ha", "line 2: a sentence ends with a full stop, 'John went to"),
        ("the hallway.", "x" * 50, f"'John went to {'x' * 27}…' does not"),
        ("2 John went to the hallway.", "2 .", "line 2: a sentence ends with a full stop, '.'"),
        ("4 Mary", "\n4 Mary", "line 5: a blank line is before it; expected those between stories"),
        ("2 John", "\ufeff2 John", "line 2: expected a number from 1 on"),
        ("4 Mary", "5 Mary", "line 4: expected the number 4, or 1 for a new story, found 5"),
        ("2 John", "1 John", "line 3: expected the number 2, or 1 for a new story, found 3"),
        ("1 Mary", "2 Mary", "line 1: expected the number 1, since the first story begins here"),
        ("1 Daniel", "6 Daniel", "line 7: expected the number 7, or 1 for a new story, found 2"),
        ("2 John", "John", "line 2: expected a number from 1 on and a blank at its start, found"),
        ("2 John", "02 John", "line 2: expected a number from 1 on"),
        ("2 John", "²  John", "line 2: expected a number from 1 on"),
        ("2 John went to the hallway.", "", "line 3: expected the number 2, or 1 for a new story"),
        ("John", "John" * 250, "line 2: it has 1,024 bytes; expected at most 1,000"),
        ("John", "Jo\x00hn", r"line 2: it has the control character '\x00'"),
        ("John", "Jo\rhn", r"line 2: it has the control character '\r'"),
    ],
)
def test_format_error_names_its_line(old, new, expected):
    assert TEXT.count(old) == 1
    assert_error(
        lambda: parser.parse(TEXT.replace(old, new).encode(), "qa1.txt"), "qa1.txt, line", expected
    )


@pytest.mark.parametrize(("kept", "line"), [([0, 1, 5, 6], 1), ([0, 1, 2, 3, 4, 5], 6)])
def test_story_without_a_question_is_reported_with_its_first_line(kept, line):
    lines = TEXT.splitlines(keepends=True)
    content = "".join(lines[number] for number in kept).encode()
    assert_error(
        lambda: parser.parse(content, "qa1.txt"),
        f"line {line}: the story that begins here has no question",
    )


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf"])
def test_empty_file_is_rejected(content):
    assert_error(lambda: parser.parse(content, "qa1.txt"), "qa1.txt", "expected")


def test_invalid_utf_8_is_reported_with_its_byte():
    content = TEXT.encode().replace(b"John", b"J\xf6hn")
    assert_error(
        lambda: parser.parse(content, "qa1.txt"), "qa1.txt, line 2: byte 4 of it, 0xF6, is no UTF-8"
    )


def test_other_languages_and_letters_are_read():
    text = (
        "1 Sita gusalkhane mein gayi.\n"
        "2 सीता बगीचे में गयी।\n"
        "3 Sita kahan hai?\tbageeche\t2\n"
        "1 Vacl zewos ul lto ygtpoovu.\n"
        "2 Xpodo qw Vacl? \tygtpoovu\t1\n"
    )
    first, second = parse(text)
    assert first.lines[1] == Statement("सीता बगीचे में गयी।")
    assert second.lines[1] == Question("Xpodo qw Vacl?", "ygtpoovu", (1,))


words = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)
sentences = st.lists(words, min_size=1, max_size=5).map(" ".join)
statements = sentences.map(lambda text: Statement(f"{text}."))


@st.composite
def made_stories(draw):
    lines = [draw(statements)]
    for is_question in [*draw(st.lists(st.booleans(), max_size=8)), True]:
        if not is_question:
            lines.append(draw(statements))
            continue
        earlier = [n for n, line in enumerate(lines, 1) if isinstance(line, Statement)]
        supporting = draw(st.lists(st.sampled_from(earlier), min_size=1, max_size=3))
        answer = ",".join(draw(st.lists(words, min_size=1, max_size=3)))
        lines.append(Question(f"{draw(sentences)}?", answer, tuple(supporting)))
    return Story(tuple(lines))


@given(stories=st.lists(made_stories(), min_size=1, max_size=4), subtask=st.sampled_from(SUBTASKS))
def test_written_stories_are_read_back_unchanged(stories, subtask):
    assert parse(to_text(stories, subtask)) == stories


def assert_parsed_or_rejected(content):
    """Assert that a content is parsed, and unchanged after a round trip, or rejected."""
    with contextlib.suppress(ConfigError):
        stories = parser.parse(content, "x")
        assert parser.parse(to_text(stories, 4).encode(), "x") == stories
        return
    assert_error(lambda: parser.parse(content, "qa1.txt"), "qa1.txt")


@given(
    place=st.integers(0, len(TEXT) - 1),
    removed=st.integers(0, 40),
    added=st.one_of(
        st.binary(max_size=8), st.sampled_from([b"\t", b" ", b"\n", b"1", b"\r\n", b".", b"?"])
    ),
)
@example(place=TEXT.index("\t"), removed=1, added=b"")
def test_changed_file_is_parsed_or_rejected(place, removed, added):
    content = TEXT.encode()
    assert_parsed_or_rejected(content[:place] + added + content[place + removed :])


@given(cut=st.integers(0, len(TEXT)))
def test_truncated_file_is_parsed_or_rejected(cut):
    assert_parsed_or_rejected(TEXT.encode()[:cut])


@given(content=st.binary(max_size=60))
def test_any_bytes_are_parsed_or_rejected(content):
    assert_parsed_or_rejected(content)
    assert_parsed_or_rejected(b"1 " + content)
    assert_parsed_or_rejected(b"1 A b.\n2 C? \t" + content)


@pytest.mark.parametrize(
    ("language", "subtask", "split"),
    [*official.SMALL, *(pytest.param(*key, marks=pytest.mark.slow) for key in official.LARGE)],
)
def test_the_published_files_are_the_same_when_read_and_written(language, subtask, split):
    stories = official.published_stories(language, subtask, split)
    assert to_text(stories, subtask).encode() == official.published_text(language, subtask, split)
    assert sum(story.questions for story in stories) == official.QUESTIONS[language]


def test_the_test_files_of_both_sizes_are_the_same():
    for subtask in SUBTASKS:
        assert official.published_text("en", subtask, "test") == official.published_text(
            "en-10k", subtask, "test"
        )
