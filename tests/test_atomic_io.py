import errno
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import atomic_io


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half():
        with atomic_io.replacing(path) as file:
            file.write(b"new")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    atomic_io.write_text(path, "größer")
    assert path.read_text(encoding="utf-8") == "größer"
    assert list(tmp_path.iterdir()) == [path]


def test_non_finite_numbers_are_written_as_null():
    content = {"a": [float("nan"), float("inf"), 1.5], "b": (1, "x")}
    assert atomic_io.to_json(content) == '{"a": [null, null, 1.5], "b": [1, "x"]}'


def test_temporary_file_is_not_written_through_a_link(tmp_path):
    mine, path = tmp_path / "mine", tmp_path / "a.txt"
    mine.write_text("mine")
    (tmp_path / f".a.txt.{os.getpid()}.part").symlink_to(mine)
    atomic_io.write_text(path, "new")
    assert (mine.read_text(), path.read_text()) == ("mine", "new")
    assert sorted(tmp_path.iterdir()) == [path, mine]


def test_unfinished_files_are_removed_and_nothing_else(tmp_path):
    atomic_io.remove_unfinished(tmp_path / "missing")
    for name in (".a.txt.17.part", ".b.part", "a.txt", "a.part", ".a.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / ".link.part").symlink_to(tmp_path / "a.txt")
    (tmp_path / ".folder.part").mkdir()
    atomic_io.remove_unfinished(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.txt", "a.part", ".a.txt", ".link.part", ".folder.part"}


def test_only_regular_files_of_some_size_are_read(tmp_path):
    (tmp_path / "a").write_bytes(b"four")
    os.mkfifo(tmp_path / "pipe")
    assert atomic_io.read_regular(tmp_path / "a", most=4) == b"four"
    for name, reason in (("a", "More than 3 bytes"), ("pipe", "Not a regular"), ("", "Not a reg")):
        with pytest.raises(OSError, match=reason):
            atomic_io.read_regular(tmp_path / name, most=3)


def test_a_folder_takes_the_place_of_another_or_leaves_it(tmp_path):
    place = tmp_path / "model"
    for content in ("old", "new"):
        with atomic_io.replacing_any(place) as aside:
            (aside / "inner").mkdir(parents=True)
            (aside / "inner" / content).write_text(content)
    assert [path.name for path in (place / "inner").iterdir()] == ["new"]

    def write_half():
        with atomic_io.replacing_any(place) as aside:
            aside.mkdir()
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        write_half()
    assert [path.name for path in (place / "inner").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_file_takes_the_place_of_another(tmp_path):
    place = tmp_path / "model.keras"
    for content in ("old", "new"):
        with atomic_io.replacing_any(place) as aside:
            assert aside.suffix == ".keras"
            aside.write_text(content)
    assert place.read_text() == "new"
    assert list(tmp_path.iterdir()) == [place]


def test_appended_text_follows_the_old_content(tmp_path):
    for content in (b"one\n", b"two\n"):
        atomic_io.append(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["symlink_to", "hardlink_to"])
def test_append_does_not_follow_a_link(tmp_path, kind):
    mine, path = tmp_path / "mine", tmp_path / "a"
    mine.write_text("mine\n")
    getattr(path, kind)(mine)
    atomic_io.append(path, b"new\n")
    assert mine.read_text() == "mine\n"
    # The content of a hard link, as a backup by `cp -l` has it, is the file's own.
    assert path.read_text() == ("new\n" if kind == "symlink_to" else "mine\nnew\n")


def test_append_to_a_pipe_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"Not a regular file|No such device"):
        atomic_io.append(tmp_path / "pipe", b"new")


def test_only_regular_files_with_one_name_are_opened_to_write(tmp_path):
    mine, link, second, pipe = (tmp_path / name for name in ("mine", "link", "second", "pipe"))
    os.close(atomic_io.open_own(mine, os.O_WRONLY))
    mine.write_text("mine")
    link.symlink_to(mine)
    second.hardlink_to(mine)
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    for path, number, reason in (
        (link, errno.ELOOP, "Is a link"),
        (second, errno.ELOOP, "second name"),
        (pipe, errno.EINVAL, "Not a regular file"),
    ):
        with pytest.raises(OSError, match=reason) as caught:
            atomic_io.open_own(path, os.O_WRONLY)
        assert caught.value.errno == number
    os.close(reader)
    assert mine.read_text() == "mine"


def test_an_error_of_the_disk_is_not_lost_by_the_flush_of_a_directory(tmp_path, monkeypatch):
    """A file system that can't flush directories is no error, a broken disk is one."""

    def refuse(number):
        def flush(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))

        return flush

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    atomic_io.write_text(tmp_path / "a", "new")
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        atomic_io.write_text(tmp_path / "a", "newer")


@given(text=st.text(st.characters()))
def test_readable_text_is_valid_unicode_and_valid_text_is_unchanged(text):
    found = atomic_io.readable(text)
    found.encode()
    assert (found == text) == text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\udcff\udc80", r"a\xff\x80"),
        ("\ud800\udcfe", r"\ud800\xfe"),
        ("\udc7f\udd00", r"\udc7f\udd00"),
    ],
)
def test_bytes_of_a_name_and_other_surrogates_are_escaped(text, expected):
    assert atomic_io.readable(text) == expected
    assert atomic_io.to_json({text: [text]}) == json.dumps({expected: [expected]})


def test_a_folder_is_reachable_by_a_valid_name(tmp_path):
    with atomic_io.reachable(tmp_path) as place:
        assert place == tmp_path
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only names that are valid Unicode")
    with atomic_io.reachable(folder / ".") as place:
        str(place).encode()
        (place / "a").write_text("there")
    assert (folder / "a").read_text() == "there"
    assert not place.parent.exists()


def test_a_temporary_directory_that_cannot_be_removed_is_no_error(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    with monkeypatch.context() as busy:
        busy.setattr(os, "rmdir", refuse)
        with atomic_io.replacing_any(tmp_path / "a") as aside:
            aside.write_text("new")
        with atomic_io.reachable(tmp_path / "\udcff") as place:
            pass
    assert (tmp_path / "a").read_text() == "new"
    place.parent.rmdir()
