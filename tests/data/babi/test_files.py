import gzip
import tarfile

import pytest

from rumcli.data.babi import files
from rumcli.data.babi.reader import parse
from rumcli.data.babi.subtasks import SUBTASKS, file_name
from rumcli.data.splits import SPLITS, WORDS
from rumcli.errors import ConfigError
from tests.data.babi import official
from tests.data.sources import tar, zipped

TRAIN, TEST = file_name(2, "train"), file_name(2, "test")


def text(word):
    """Return a file that can be told from others by one answer."""
    return f"1 Mary got the {word}.\n2 What is it? \t{word}\t1\n".encode()


def texts(language, names=(TRAIN, TEST)):
    """Return a language's files by path, and those of another subtask, which is nonsense."""
    return {
        **{f"{language}/{name}": text(f"{language}.{name}") for name in names},
        f"{language}/{file_name(3, 'train')}": b"nonsense",
        f"{language}/._{TRAIN}": b"nonsense",
        f"{language}/README": b"nonsense",
    }


def folder(place, content):
    for name, data in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def answers(found):
    """Return the answer of each split."""
    return {split: stories[0].lines[1].answer for split, stories in found.stories.items()}


def assert_told(path, *expected, language=None, subtask=2):
    with pytest.raises(ConfigError) as error:
        files.read(path, subtask, language)
    for part in expected:
        assert part in str(error.value)
    assert str(error.value).isprintable()


@pytest.fixture(params=["folder", "w", "w:gz", "w:xz", "zip"])
def pack(request, tmp_path):
    """Return a function that puts contents, by path, into a folder or an archive."""

    def _pack(content):
        if request.param == "folder":
            return folder(tmp_path / "babi", content)
        members = [(f"tasks_1-20_v1-2/{name}", data) for name, data in content.items()]
        make = zipped if request.param == "zip" else tar
        return make(tmp_path / "x", members, *([] if make is zipped else [request.param]))

    return _pack


@pytest.mark.parametrize("language", ["en", "hn", "shuffled-10k"])
def test_the_only_language_is_taken(pack, language):
    path = pack(texts(language))
    before = sorted(path.parent.rglob("*"))
    found = files.read(path, 2)
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
    path = pack({k: v for language in languages for k, v in texts(language).items()})
    found = files.read(path, 2)
    assert found.language == expected
    assert answers(found) == {"train": f"{expected}.{TRAIN}", "test": f"{expected}.{TEST}"}
    assert f"{expected}/{TRAIN}" in found.places["train"]


def test_a_language_can_be_asked_for(pack):
    path = pack({**texts("en"), **texts("hn"), **texts("en-10k")})
    found = files.read(path, 2, "hn")
    assert found.language == "hn"
    assert answers(found) == {"train": f"hn.{TRAIN}", "test": f"hn.{TEST}"}


def test_a_language_that_is_not_there_is_told(pack):
    path = pack({**texts("en"), **texts("hn")})
    expected = f"{path} has no {TRAIN} in a folder en-10k; there are: en, hn"
    assert_told(path, expected, language="en-10k")


def test_several_languages_without_english_are_told(pack):
    path = pack({**texts("shuffled"), **texts("hn")})
    assert_told(path, f"{path} has several languages: hn, shuffled; choose one of them")


@pytest.mark.parametrize(("there", "missing"), [(TRAIN, TEST), (TEST, TRAIN)])
def test_a_missing_file_is_told_with_where_it_was_sought(pack, there, missing):
    path = pack({**texts("en"), **texts("en-10k", [there])})
    assert_told(path, f"{path}, en-10k: there is no {missing}, only ", f"en-10k/{there}")


def test_a_subtask_that_is_not_there_is_told(pack):
    path = pack(texts("en"))
    assert_told(path, f"{path} has no {file_name(20, 'train')}, ", subtask=20)


def test_two_files_for_one_split_are_told(pack):
    path = pack({**texts("a/en"), **texts("b/en", [TRAIN])})
    assert_told(path, f"{path}, en: ", f"a/en/{TRAIN} and ", f"b/en/{TRAIN} are both for train")


def test_two_files_of_a_language_that_is_not_taken_do_not_matter(pack):
    path = pack({**texts("a/hn"), **texts("b/hn"), **texts("en")})
    assert files.read(path, 2).language == "en"


@pytest.mark.parametrize("word", WORDS["validation"])
def test_short_names_and_a_validation_file_are_read(tmp_path, word):
    names = ["qa2_test.txt", "qa2_train.txt", f"qa2_{word}.txt"]
    found = files.read(folder(tmp_path, texts("en-valid", names)), 2)
    assert list(found.stories) == list(found.places) == list(SPLITS)
    assert answers(found)["validation"] == f"en-valid.qa2_{word}.txt"


def test_packed_files_in_a_folder_are_read(tmp_path):
    content = {f"{name}.gz": gzip.compress(data) for name, data in texts("en").items()}
    assert answers(files.read(folder(tmp_path, content), 2))["train"] == f"en.{TRAIN}"


def test_the_folder_of_a_language_is_read_from_within(tmp_path, monkeypatch):
    monkeypatch.chdir(folder(tmp_path, texts("hn")) / "hn")
    found = files.read(files.Path(), 2)
    assert (found.language, found.places["test"]) == ("hn", TEST)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_single_file_is_of_the_split_in_its_name(tmp_path, split, packed):
    name = f"en/qa2_two_{split}.txt{'.gz' * packed}"
    content = gzip.compress(text("a")) if packed else text("a")
    path = folder(tmp_path, {name: content, f"en/{TRAIN}": b"nonsense"}) / name
    found = files.read(path, 2)
    assert found == files.SubtaskFiles("en", {split: str(path)}, {split: parse(text("a"), "")})


@pytest.mark.parametrize("name", ["qa1_single-supporting-fact_test.txt", "qa2.txt", "my.txt"])
def test_a_single_file_whose_name_does_not_tell_what_it_is_is_told(tmp_path, name):
    path = folder(tmp_path, {name: text("a")}) / name
    assert_told(path, f"the name of {path} does not say", "subtask 2", f"expected a name as {TEST}")


def test_a_single_file_has_no_language_to_choose(tmp_path):
    path = folder(tmp_path, {TEST: text("a")}) / TEST
    assert_told(path, f"{path} is a single file", language="en")


def test_what_breaks_the_format_is_told_with_place_and_line(pack):
    path = pack({**texts("en"), f"en/{TEST}": text("a") + b"2 Again.\n"})
    assert_told(path, f"en/{TEST}, line 3: expected the number 3, or 1 for a new story, found 2")


@pytest.mark.parametrize("prefix", ["../../en/", "/en/", "..\\en\\"])
@pytest.mark.parametrize("make", [tar, zipped])
def test_paths_that_lead_elsewhere_are_names_only(tmp_path, make, prefix):
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    path = make(place / "x", [(prefix + name, text("a")) for name in (TRAIN, TEST)])
    before = sorted(tmp_path.rglob("*"))
    assert files.read(path, 2).language == "en"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_an_archive_is_no_file_of_it(tmp_path):
    (tmp_path / TEST).write_bytes(text("secret"))
    link = tarfile.TarInfo(f"en/{TEST}")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / TEST)
    path = tar(tmp_path / "x", [(f"en/{TRAIN}", text("a")), (link, b"")])
    assert_told(path, f"{path}, en: there is no {TEST}, only {path}: en/{TRAIN}")


def test_a_file_that_is_too_large_is_told(pack, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 2**20)
    path = pack({**texts("en"), f"en/{TEST}": b"x" * 2**21})
    assert_told(path, f"en/{TEST} has more than 1 MiB")


def test_nothing_at_all_is_told(tmp_path):
    assert_told(tmp_path / "nowhere", f"there is no {tmp_path / 'nowhere'}; expected a folder or")
    assert_told(tmp_path / "nowhere.txt", f"there is no {tmp_path / 'nowhere.txt'}; expected")
    assert_told(tmp_path, f"{tmp_path} has no {TRAIN}, whether in itself or in a folder as en-10k")


@pytest.mark.parametrize("subtask", SUBTASKS)
def test_the_published_archive_is_read(subtask):
    official.texts("en")  # skips without it
    found = files.read(official.ARCHIVES["en"], subtask)
    assert found.language == "en"
    for split in ("train", "test"):
        assert found.stories[split] == official.stories("en", subtask, split)


def test_the_training_file_that_our_copy_lacks_is_told():
    official.texts("en-10k")  # skips without it
    name = file_name(3, "train")
    assert_told(official.ARCHIVES["en-10k"], f"10k.tar.xz, en-10k: there is no {name}", subtask=3)
