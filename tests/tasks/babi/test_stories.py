""""""

import contextlib
import gzip
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS, WORDS
from rumcli.errors import ConfigError
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.config import SUBTASKS
from rumcli.tasks.babi.stories import (
    Question,
    Statement,
    Story,
    parse_stories,
    subtask_file_name,
    to_text,
)
from tests.assertions import assert_error
from tests.data.sources import write_tar, write_zip
from tests.directories import write_files
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

TRAIN, TEST = subtask_file_name(2, "train"), subtask_file_name(2, "test")


def parse(text):
    return babi_stories.parse_stories(text.encode(), "qa1.txt")


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
        ("4 1", "4 x", "line 5: 'x' is not the number of a supporting fact"),
        ("4 1", "0", "line 5: '0' is not the number of a supporting fact"),
        ("4 1", "", "line 5: the supporting facts are missing"),
        ("\tbathroom\t", "\t\t", "line 3: the answer is empty"),
        ("\tbathroom\t1", "", "line 3: the tab after the question is missing; expected: question,"),
        (" \tbathroom", " bathroom", "line 3: a question has 2 tabs, this one has 1"),
        (" \tbathroom\t", "bathroom", "line 3: a sentence ends with a full stop, 'Where is Mary"),
        ("Mary? \tb", "Mary? \tb\t", "line 3: a question has 2 tabs, this one has 3"),
        ("Where is Daniel?", "Where is Daniel", "line 7: a question ends with a question mark"),
        ("the hallway.", "the ha", "line 2: a sentence ends with a full stop, 'John went to"),
        ("the hallway.", "x" * 50, f"'John went to {'x' * 27}…' does not"),
        ("2 John went to the hallway.", "2 .", "line 2: a sentence ends with a full stop, '.'"),
        (
            "4 Mary",
            "\n4 Mary",
            "line 5: a blank line precedes it; expected blank lines only between stories",
        ),
        ("2 John", "\ufeff2 John", "line 2: expected a positive number"),
        ("4 Mary", "5 Mary", "line 4: expected the number 4, or 1 for a new story, found 5"),
        ("2 John", "1 John", "line 3: expected the number 2, or 1 for a new story, found 3"),
        ("1 Mary", "2 Mary", "line 1: expected the number 1 at the start of the first story"),
        ("1 Daniel", "6 Daniel", "line 7: expected the number 7, or 1 for a new story, found 2"),
        ("2 John", "John", "line 2: expected a positive number and a space at the start, found"),
        ("2 John", "02 John", "line 2: expected a positive number"),
        ("2 John", "²  John", "line 2: expected a positive number"),
        ("2 John went to the hallway.", "", "line 3: expected the number 2, or 1 for a new story"),
        ("John", "John" * 250, "line 2: the line has 1,024 bytes; expected at most 1,000"),
        ("John", "Jo\x00hn", r"line 2: the line has the control character '\x00'"),
        ("John", "Jo\rhn", r"line 2: the line has the control character '\r'"),
    ],
)
def test_format_error_names_its_line(old, new, expected):
    assert TEXT.count(old) == 1
    assert_error(
        lambda: babi_stories.parse_stories(TEXT.replace(old, new).encode(), "qa1.txt"),
        "qa1.txt, line",
        expected,
    )


@pytest.mark.parametrize(("kept", "line"), [([0, 1, 5, 6], 1), ([0, 1, 2, 3, 4, 5], 6)])
def test_story_without_a_question_is_reported_with_its_first_line(kept, line):
    lines = TEXT.splitlines(keepends=True)
    content = "".join(lines[number] for number in kept).encode()
    assert_error(
        lambda: babi_stories.parse_stories(content, "qa1.txt"),
        f"line {line}: the story that starts here has no question",
    )


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\xef\xbb\xbf"])
def test_empty_file_is_rejected(content):
    assert_error(lambda: babi_stories.parse_stories(content, "qa1.txt"), "qa1.txt", "expected")


def test_invalid_utf_8_is_reported_with_its_byte():
    content = TEXT.encode().replace(b"John", b"J\xf6hn")
    assert_error(
        lambda: babi_stories.parse_stories(content, "qa1.txt"),
        "qa1.txt, line 2: byte 4, 0xF6, is not valid UTF-8",
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
        stories = babi_stories.parse_stories(content, "x")
        assert babi_stories.parse_stories(to_text(stories, 4).encode(), "x") == stories
        return
    assert_error(lambda: babi_stories.parse_stories(content, "qa1.txt"), "qa1.txt")


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


def story_file(word):
    """Return a file that is identified by its one answer."""
    return f"1 Mary got the {word}.\n2 What is it? \t{word}\t1\n".encode()


def language_files(language, names=(TRAIN, TEST)):
    """Return a language's files by path, and those of another subtask, which is nonsense."""
    return {
        **{f"{language}/{name}": story_file(f"{language}.{name}") for name in names},
        f"{language}/{subtask_file_name(3, 'train')}": b"nonsense",
        f"{language}/._{TRAIN}": b"nonsense",
        f"{language}/README": b"nonsense",
    }


def answers(found):
    """Return the answer of each split."""
    return {split: stories[0].lines[1].answer for split, stories in found.stories.items()}


@pytest.fixture(params=["folder", "w", "w:gz", "w:xz", "zip"])
def pack(request, tmp_path):
    """Return a function that puts contents, by path, into a folder or an archive."""

    def _pack(content):
        if request.param == "folder":
            return write_files(tmp_path / "babi", content)
        members = [(f"tasks_1-20_v1-2/{name}", data) for name, data in content.items()]
        make = write_zip if request.param == "zip" else write_tar
        return make(tmp_path / "x", members, *([] if make is write_zip else [request.param]))

    return _pack


@pytest.mark.parametrize("language", ["en", "hn", "shuffled-10k"])
def test_only_language_is_selected(pack, language):
    path = pack(language_files(language))
    before = sorted(path.parent.rglob("*"))
    found = babi_stories.read_subtask(path, 2)
    assert found.language == language
    assert answers(found) == {"train": f"{language}.{TRAIN}", "test": f"{language}.{TEST}"}
    assert sorted(path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        (["en", "en-10k", "hn"], "en-10k"),
        (["hn-10k", "en-10k", "en"], "en-10k"),
        (["hn", "shuffled", "en"], "en"),
        (["en", "hn", "shuffled"], "en"),
    ],
)
def test_larger_english_files_come_first_then_english_ones(pack, languages, expected):
    path = pack({k: v for language in languages for k, v in language_files(language).items()})
    found = babi_stories.read_subtask(path, 2)
    assert found.language == expected
    assert answers(found) == {"train": f"{expected}.{TRAIN}", "test": f"{expected}.{TEST}"}
    assert f"{expected}/{TRAIN}" in found.places["train"]


def test_language_can_be_selected(pack):
    path = pack({**language_files("en"), **language_files("hn"), **language_files("en-10k")})
    found = babi_stories.read_subtask(path, 2, "hn")
    assert found.language == "hn"
    assert answers(found) == {"train": f"hn.{TRAIN}", "test": f"hn.{TEST}"}


def test_missing_language_is_reported(pack):
    path = pack({**language_files("en"), **language_files("hn")})
    expected = f"{path} has no {TRAIN} in a directory en-10k, only in: en, hn"
    assert_error(lambda: babi_stories.read_subtask(path, 2, language="en-10k"), expected)


def test_several_languages_without_english_are_rejected(pack):
    path = pack({**language_files("shuffled"), **language_files("hn")})
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"{path} has several languages: hn, shuffled; set task.language to one of them",
    )


@pytest.mark.parametrize(("there", "missing"), [(TRAIN, TEST), (TEST, TRAIN)])
def test_missing_file_is_reported_with_the_searched_path(pack, there, missing):
    path = pack({**language_files("en"), **language_files("en-10k", [there])})
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"{path}, en-10k has no {missing}, only ",
        f"en-10k/{there}",
    )


def test_missing_subtask_is_reported(pack):
    path = pack(language_files("en"))
    assert_error(
        lambda: babi_stories.read_subtask(path, subtask=20),
        f"{path} has no {subtask_file_name(20, 'train')}, ",
    )


def test_two_files_for_one_split_are_rejected(pack):
    path = pack({**language_files("a/en"), **language_files("b/en", [TRAIN])})
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"{path}, en: ",
        f"a/en/{TRAIN} and ",
        f"b/en/{TRAIN} are both for the train split",
    )


def test_two_files_of_an_unselected_language_are_ignored(pack):
    path = pack({**language_files("a/hn"), **language_files("b/hn"), **language_files("en")})
    assert babi_stories.read_subtask(path, 2).language == "en"


@pytest.mark.parametrize("word", WORDS["validation"])
def test_short_names_and_a_validation_file_are_read(tmp_path, word):
    names = ["qa2_test.txt", "qa2_train.txt", f"qa2_{word}.txt"]
    found = babi_stories.read_subtask(write_files(tmp_path, language_files("en-valid", names)), 2)
    assert list(found.stories) == list(found.places) == list(SPLITS)
    assert answers(found)["validation"] == f"en-valid.qa2_{word}.txt"


def test_packed_files_in_a_folder_are_read(tmp_path):
    content = {f"{name}.gz": gzip.compress(data) for name, data in language_files("en").items()}
    assert (
        answers(babi_stories.read_subtask(write_files(tmp_path, content), 2))["train"]
        == f"en.{TRAIN}"
    )


def test_the_folder_of_a_language_is_read_from_within(tmp_path, monkeypatch):
    monkeypatch.chdir(write_files(tmp_path, language_files("hn")) / "hn")
    found = babi_stories.read_subtask(babi_stories.Path(), 2)
    assert (found.language, found.places["test"]) == ("hn", TEST)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_single_file_is_of_the_split_in_its_name(tmp_path, split, packed):
    name = f"en/qa2_two_{split}.txt{'.gz' * packed}"
    content = gzip.compress(story_file("a")) if packed else story_file("a")
    path = write_files(tmp_path, {name: content, f"en/{TRAIN}": b"nonsense"}) / name
    found = babi_stories.read_subtask(path, 2)
    assert found == babi_stories.SubtaskFiles(
        "en", {split: str(path)}, {split: parse_stories(story_file("a"), "")}
    )


@pytest.mark.parametrize("name", ["qa1_single-supporting-fact_test.txt", "qa2.txt", "my.txt"])
def test_single_file_with_an_ambiguous_name_is_rejected(tmp_path, name):
    path = write_files(tmp_path, {name: story_file("a")}) / name
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"the name of {path} must contain the subtask 2 and the split, as in {TEST}",
    )


def test_a_single_file_has_no_language_to_choose(tmp_path):
    path = write_files(tmp_path, {TEST: story_file("a")}) / TEST
    assert_error(
        lambda: babi_stories.read_subtask(path, 2, language="en"), f"{path} is a single file"
    )


def test_format_error_names_file_and_line(pack):
    path = pack({**language_files("en"), f"en/{TEST}": story_file("a") + b"2 Again.\n"})
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"en/{TEST}, line 3: expected the number 3, or 1 for a new story, found 2",
    )


@pytest.mark.parametrize("prefix", ["../../en/", "/en/", "..\\en\\"])
@pytest.mark.parametrize("make", [write_tar, write_zip])
def test_paths_outside_the_archive_are_names_only(tmp_path, make, prefix):
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    path = make(place / "x", [(prefix + name, story_file("a")) for name in (TRAIN, TEST)])
    before = sorted(tmp_path.rglob("*"))
    assert babi_stories.read_subtask(path, 2).language == "en"
    assert sorted(tmp_path.rglob("*")) == before


def test_link_in_an_archive_is_ignored(tmp_path):
    (tmp_path / TEST).write_bytes(story_file("secret"))
    link = tarfile.TarInfo(f"en/{TEST}")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / TEST)
    path = write_tar(tmp_path / "x", [(f"en/{TRAIN}", story_file("a")), (link, b"")])
    assert_error(
        lambda: babi_stories.read_subtask(path, 2),
        f"{path}, en has no {TEST}, only {path}: en/{TRAIN}",
    )


def test_file_that_is_too_large_is_rejected(pack, monkeypatch):
    monkeypatch.setattr(babi_stories, "_LARGEST", 2**20)
    path = pack({**language_files("en"), f"en/{TEST}": b"x" * 2**21})
    assert_error(lambda: babi_stories.read_subtask(path, 2), f"en/{TEST} has more than 1 MiB")


def test_missing_path_and_empty_directory_are_reported(tmp_path):
    assert_error(
        lambda: babi_stories.read_subtask(tmp_path / "nowhere", 2),
        f"{tmp_path / 'nowhere'} does not exist; expected a directory or",
    )
    assert_error(
        lambda: babi_stories.read_subtask(tmp_path / "nowhere.txt", 2),
        f"{tmp_path / 'nowhere.txt'} does not exist; expected",
    )
    assert_error(
        lambda: babi_stories.read_subtask(tmp_path, 2),
        f"{tmp_path} has no {TRAIN}, neither directly nor in a directory such as en-10k",
    )


@pytest.mark.parametrize("subtask", SUBTASKS)
def test_the_published_archive_is_read(subtask):
    official.published_texts("en")  # skips without it
    found = babi_stories.read_subtask(official.ARCHIVES["en"], subtask)
    assert found.language == "en"
    for split in ("train", "test"):
        assert found.stories[split] == official.published_stories("en", subtask, split)


def test_training_file_missing_in_our_copy_is_reported():
    official.published_texts("en-10k")  # skips without it
    name = subtask_file_name(3, "train")
    assert_error(
        lambda: babi_stories.read_subtask(official.ARCHIVES["en-10k"], subtask=3),
        f"10k.tar.xz, en-10k has no {name}",
    )
