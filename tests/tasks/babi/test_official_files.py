import gzip
import tarfile

import pytest

from rumcli.data.splits import SPLITS, WORDS
from rumcli.tasks.babi import official_files
from rumcli.tasks.babi.parser import parse
from rumcli.tasks.babi.task_names import SUBTASKS, file_name
from tests.assertions import assert_error
from tests.data.sources import write_tar, write_zip
from tests.directories import write_files
from tests.tasks.babi import official

TRAIN, TEST = file_name(2, "train"), file_name(2, "test")


def story_file(word):
    """Return a file that is identified by its one answer."""
    return f"1 Mary got the {word}.\n2 What is it? \t{word}\t1\n".encode()


def language_files(language, names=(TRAIN, TEST)):
    """Return a language's files by path, and those of another subtask, which is nonsense."""
    return {
        **{f"{language}/{name}": story_file(f"{language}.{name}") for name in names},
        f"{language}/{file_name(3, 'train')}": b"nonsense",
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
    found = official_files.read(path, 2)
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
    found = official_files.read(path, 2)
    assert found.language == expected
    assert answers(found) == {"train": f"{expected}.{TRAIN}", "test": f"{expected}.{TEST}"}
    assert f"{expected}/{TRAIN}" in found.places["train"]


def test_language_can_be_selected(pack):
    path = pack({**language_files("en"), **language_files("hn"), **language_files("en-10k")})
    found = official_files.read(path, 2, "hn")
    assert found.language == "hn"
    assert answers(found) == {"train": f"hn.{TRAIN}", "test": f"hn.{TEST}"}


def test_missing_language_is_reported(pack):
    path = pack({**language_files("en"), **language_files("hn")})
    expected = f"{path} has no {TRAIN} in a folder en-10k; there are: en, hn"
    assert_error(lambda: official_files.read(path, 2, language="en-10k"), expected)


def test_several_languages_without_english_are_rejected(pack):
    path = pack({**language_files("shuffled"), **language_files("hn")})
    assert_error(
        lambda: official_files.read(path, 2),
        f"{path} has several languages: hn, shuffled; choose one of them",
    )


@pytest.mark.parametrize(("there", "missing"), [(TRAIN, TEST), (TEST, TRAIN)])
def test_missing_file_is_reported_with_the_searched_path(pack, there, missing):
    path = pack({**language_files("en"), **language_files("en-10k", [there])})
    assert_error(
        lambda: official_files.read(path, 2),
        f"{path}, en-10k: there is no {missing}, only ",
        f"en-10k/{there}",
    )


def test_missing_subtask_is_reported(pack):
    path = pack(language_files("en"))
    assert_error(
        lambda: official_files.read(path, subtask=20), f"{path} has no {file_name(20, 'train')}, "
    )


def test_two_files_for_one_split_are_rejected(pack):
    path = pack({**language_files("a/en"), **language_files("b/en", [TRAIN])})
    assert_error(
        lambda: official_files.read(path, 2),
        f"{path}, en: ",
        f"a/en/{TRAIN} and ",
        f"b/en/{TRAIN} are both for train",
    )


def test_two_files_of_an_unselected_language_are_ignored(pack):
    path = pack({**language_files("a/hn"), **language_files("b/hn"), **language_files("en")})
    assert official_files.read(path, 2).language == "en"


@pytest.mark.parametrize("word", WORDS["validation"])
def test_short_names_and_a_validation_file_are_read(tmp_path, word):
    names = ["qa2_test.txt", "qa2_train.txt", f"qa2_{word}.txt"]
    found = official_files.read(write_files(tmp_path, language_files("en-valid", names)), 2)
    assert list(found.stories) == list(found.places) == list(SPLITS)
    assert answers(found)["validation"] == f"en-valid.qa2_{word}.txt"


def test_packed_files_in_a_folder_are_read(tmp_path):
    content = {f"{name}.gz": gzip.compress(data) for name, data in language_files("en").items()}
    assert answers(official_files.read(write_files(tmp_path, content), 2))["train"] == f"en.{TRAIN}"


def test_the_folder_of_a_language_is_read_from_within(tmp_path, monkeypatch):
    monkeypatch.chdir(write_files(tmp_path, language_files("hn")) / "hn")
    found = official_files.read(official_files.Path(), 2)
    assert (found.language, found.places["test"]) == ("hn", TEST)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_single_file_is_of_the_split_in_its_name(tmp_path, split, packed):
    name = f"en/qa2_two_{split}.txt{'.gz' * packed}"
    content = gzip.compress(story_file("a")) if packed else story_file("a")
    path = write_files(tmp_path, {name: content, f"en/{TRAIN}": b"nonsense"}) / name
    found = official_files.read(path, 2)
    assert found == official_files.SubtaskFiles(
        "en", {split: str(path)}, {split: parse(story_file("a"), "")}
    )


@pytest.mark.parametrize("name", ["qa1_single-supporting-fact_test.txt", "qa2.txt", "my.txt"])
def test_single_file_with_an_ambiguous_name_is_rejected(tmp_path, name):
    path = write_files(tmp_path, {name: story_file("a")}) / name
    assert_error(
        lambda: official_files.read(path, 2),
        f"the name of {path} does not say",
        "subtask 2",
        f"expected a name as {TEST}",
    )


def test_a_single_file_has_no_language_to_choose(tmp_path):
    path = write_files(tmp_path, {TEST: story_file("a")}) / TEST
    assert_error(lambda: official_files.read(path, 2, language="en"), f"{path} is a single file")


def test_format_error_names_file_and_line(pack):
    path = pack({**language_files("en"), f"en/{TEST}": story_file("a") + b"2 Again.\n"})
    assert_error(
        lambda: official_files.read(path, 2),
        f"en/{TEST}, line 3: expected the number 3, or 1 for a new story, found 2",
    )


@pytest.mark.parametrize("prefix", ["../../en/", "/en/", "..\\en\\"])
@pytest.mark.parametrize("make", [write_tar, write_zip])
def test_paths_outside_the_archive_are_names_only(tmp_path, make, prefix):
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    path = make(place / "x", [(prefix + name, story_file("a")) for name in (TRAIN, TEST)])
    before = sorted(tmp_path.rglob("*"))
    assert official_files.read(path, 2).language == "en"
    assert sorted(tmp_path.rglob("*")) == before


def test_link_in_an_archive_is_ignored(tmp_path):
    (tmp_path / TEST).write_bytes(story_file("secret"))
    link = tarfile.TarInfo(f"en/{TEST}")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / TEST)
    path = write_tar(tmp_path / "x", [(f"en/{TRAIN}", story_file("a")), (link, b"")])
    assert_error(
        lambda: official_files.read(path, 2),
        f"{path}, en: there is no {TEST}, only {path}: en/{TRAIN}",
    )


def test_file_that_is_too_large_is_rejected(pack, monkeypatch):
    monkeypatch.setattr(official_files, "_LARGEST", 2**20)
    path = pack({**language_files("en"), f"en/{TEST}": b"x" * 2**21})
    assert_error(lambda: official_files.read(path, 2), f"en/{TEST} has more than 1 MiB")


def test_missing_path_and_empty_directory_are_reported(tmp_path):
    assert_error(
        lambda: official_files.read(tmp_path / "nowhere", 2),
        f"there is no {tmp_path / 'nowhere'}; expected a folder or",
    )
    assert_error(
        lambda: official_files.read(tmp_path / "nowhere.txt", 2),
        f"there is no {tmp_path / 'nowhere.txt'}; expected",
    )
    assert_error(
        lambda: official_files.read(tmp_path, 2),
        f"{tmp_path} has no {TRAIN}, whether in itself or in a folder as en-10k",
    )


@pytest.mark.parametrize("subtask", SUBTASKS)
def test_the_published_archive_is_read(subtask):
    official.published_texts("en")  # skips without it
    found = official_files.read(official.ARCHIVES["en"], subtask)
    assert found.language == "en"
    for split in ("train", "test"):
        assert found.stories[split] == official.published_stories("en", subtask, split)


def test_training_file_missing_in_our_copy_is_reported():
    official.published_texts("en-10k")  # skips without it
    name = file_name(3, "train")
    assert_error(
        lambda: official_files.read(official.ARCHIVES["en-10k"], subtask=3),
        f"10k.tar.xz, en-10k: there is no {name}",
    )
