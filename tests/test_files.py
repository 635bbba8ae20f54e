import errno
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import files


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with files.replacing(path) as file:
            file.write(b"new")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    files.write_text(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_null_where_json_has_no_number():
    content = {"a": [float("nan"), float("inf"), 1.5], "b": (1, "x")}
    assert files.to_json(content) == '{"a": [null, null, 1.5], "b": [1, "x"]}'


def test_what_is_written_aside_does_not_go_through_a_link(tmp_path):
    mine, path = tmp_path / "mine", tmp_path / "a.txt"
    mine.write_text("mine")
    (tmp_path / f".a.txt.{os.getpid()}.part").symlink_to(mine)
    files.write_text(path, "new")
    assert (mine.read_text(), path.read_text()) == ("mine", "new")
    assert sorted(tmp_path.iterdir()) == [path, mine]


def test_only_regular_files_of_some_size_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"four")
    os.mkfifo(tmp_path / "pipe")
    assert files.read_regular(tmp_path / "a", most=4) == b"four"
    for name, reason in (("a", "More than 3 bytes"), ("pipe", "Not a regular"), ("", "Not a reg")):
        with pytest.raises(OSError, match=reason):
            files.read_regular(tmp_path / name, most=3)


def test_a_folder_takes_the_place_of_another_or_leaves_it(tmp_path):
    place = tmp_path / "model"
    for content in ("old", "new"):
        with files.replacing_any(place) as aside:
            (aside / "inner").mkdir(parents=True)
            (aside / "inner" / content).write_text(content)
    assert [path.name for path in (place / "inner").iterdir()] == ["new"]

    def write_half():
        with files.replacing_any(place) as aside:
            aside.mkdir()
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_half()
    assert [path.name for path in (place / "inner").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_file_takes_the_place_of_another(tmp_path):
    place = tmp_path / "model.keras"
    for content in ("old", "new"):
        with files.replacing_any(place) as aside:
            assert aside.suffix == ".keras"
            aside.write_text(content)
    assert place.read_text() == "new"
    assert list(tmp_path.iterdir()) == [place]


def test_what_is_added_to_a_file_follows_what_it_had(tmp_path):
    for content in (b"one\n", b"two\n"):
        files.append(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_nothing_is_added_to_what_a_link_names(tmp_path, kind):
    mine, path = tmp_path / "mine", tmp_path / "a"
    mine.write_text("mine\n")
    getattr(path, kind)(mine)
    files.append(path, b"new\n")
    assert mine.read_text() == "mine\n"
    # The content of a hard link, as a backup by `cp -l` has it, is the file's own.
    assert path.read_text() == ("new\n" if kind == "symlink_to" else "mine\nnew\n")


def test_nothing_is_added_to_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"Not a regular file|No such device"):
        files.append(tmp_path / "pipe", b"new")


def test_an_error_of_the_disk_is_not_lost_by_the_flush_of_a_directory(tmp_path, monkeypatch):
    """A file system that can't flush directories is no error, a broken disk is one."""

    def refuse(number):
        def flush(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))

        return flush

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    files.write_text(tmp_path / "a", "new")
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.write_text(tmp_path / "a", "newer")


@given(text=st.text(st.characters()))
def test_readable_text_is_valid_unicode_and_valid_text_is_left_alone(text):
    found = files.readable(text)
    found.encode()
    assert (found == text) == text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\udcff\udc80", r"a\xff\x80"), ("\ud800\udcfe", r"\ud800\xfe"), ("\udc7f", r"\udc7f")],
)
def test_bytes_of_a_name_and_other_surrogates_are_escaped(text, expected):
    assert files.readable(text) == expected
    assert files.to_json({text: [text]}) == json.dumps({expected: [expected]})


def test_a_folder_is_reachable_by_a_valid_name(tmp_path):
    with files.reachable(tmp_path) as place:
        assert place == tmp_path
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only names that are valid Unicode")
    with files.reachable(folder / ".") as place:
        str(place).encode()
        (place / "a").write_text("there")
    assert (folder / "a").read_text() == "there"
    assert not place.parent.exists()
