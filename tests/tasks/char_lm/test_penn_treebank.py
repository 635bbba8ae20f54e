import hashlib
import re
from pathlib import Path

import pytest

from rumcli.tasks.char_lm import penn_treebank
from tests.assertions import assert_error
from tests.data.sources import (
    FILES,
    TEXTS,
    archive_members,
    gzip_files,
    serve,
    write_tar,
    write_zip,
)
from tests.directories import write_files

PTB = Path(__file__).parents[4] / "shared" / "data" / "ptb"
SIZE = len(TEXTS["ptb.test.txt"])


def read_texts(source):
    return penn_treebank.read(str(source), FILES)


@pytest.mark.skipif(not PTB.is_dir(), reason="there is no ../shared/data/ptb")
def test_digests_match_the_real_files():
    found = penn_treebank.read(str(PTB), penn_treebank.FILES)
    assert list(found) == ["ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"]


def test_sizes_and_digests_are_well_formed():
    assert [file.size for file in penn_treebank.FILES] == [5_101_618, 399_782, 449_945]
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in penn_treebank.FILES)


def test_a_right_file_is_found_behind_a_wrong_one_of_its_name(tmp_path):
    write_files(tmp_path / "a", dict.fromkeys(TEXTS, b"other"))
    write_files(tmp_path / "b", gzip_files())
    assert read_texts(tmp_path) == TEXTS


def test_only_requested_files_are_required(tmp_path):
    write_files(tmp_path, {"ptb.test.txt": TEXTS["ptb.test.txt"]})
    found = penn_treebank.read(str(tmp_path), FILES[2:])
    assert found == {"ptb.test.txt": TEXTS["ptb.test.txt"]}


def test_a_missing_file_is_named(tmp_path):
    write_files(tmp_path, {"ptb.train.txt": TEXTS["ptb.train.txt"]})
    assert_error(lambda: read_texts(tmp_path), f"{tmp_path} has no ptb.valid.txt, ptb.test.txt")


@pytest.mark.parametrize(
    ("content", "size"),
    [(b"x" * 7, "7"), (bytes(10**6), f"more than {SIZE:,}"), (b"", "0")],
    ids=["short", "long", "empty"],
)
@pytest.mark.parametrize("pack", [write_zip, write_tar])
def test_file_of_another_size_is_rejected(tmp_path, pack, content, size):
    path = pack(tmp_path / "x", archive_members("y/", {**TEXTS, "ptb.test.txt": content}))
    assert_error(
        lambda: read_texts(path),
        f"{path}: y/ptb.test.txt is not the expected ptb.test.txt: ",
        f"it has {size} bytes, expected {SIZE:,}",
    )


def test_file_of_other_content_is_rejected_with_both_digests(tmp_path):
    write_files(tmp_path, {**TEXTS, "ptb.test.txt": bytes(SIZE)})
    right = next(file.sha256 for file in FILES if file.name == "ptb.test.txt")
    found = hashlib.sha256(bytes(SIZE)).hexdigest()
    assert_error(
        lambda: read_texts(tmp_path),
        f"{tmp_path / 'ptb.test.txt'} is not the expected ptb.test.txt: "
        f"its SHA-256 is {found}, expected {right}",
    )


def test_text_with_spaces_between_characters_is_recognized(tmp_path):
    characters = {name.replace("ptb", "ptb.char"): b"n o _ i t \n" for name in TEXTS}
    path = write_tar(tmp_path / "a", archive_members(texts=characters))
    assert_error(
        lambda: read_texts(path),
        "has no ptb.train.txt, ptb.valid.txt, ptb.test.txt; ptb.char.* has a space",
    )
    # ... and does no harm beside the right one.
    assert (
        read_texts(write_tar(tmp_path / "b", archive_members(texts={**characters, **TEXTS})))
        == TEXTS
    )


def test_downloaded_archive_leaves_no_temporary_files(tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    content = write_tar(tmp_path / "a", archive_members()).read_bytes()
    with serve({"/a.tgz": content, "/cut": content[:-200]}) as address:
        assert read_texts(f"{address}/a.tgz") == TEXTS
        assert_error(lambda: read_texts(f"{address}/cut"), f"{address}/cut")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_error_of_a_download_names_the_url(tmp_path):
    some = write_tar(tmp_path / "b", archive_members("", {"ptb.test.txt": b"x"})).read_bytes()
    with serve({"/a": b"<html>", "/b": some}) as address:
        assert_error(lambda: read_texts(f"{address}/a"), f"{address}/a is not an archive")
        assert_error(
            lambda: read_texts(f"{address}/b"),
            f"{address}/b: ptb.test.txt is not the expected ptb.test.txt",
        )
        assert_error(lambda: read_texts(f"{address}/c"), f"can't download {address}/c: ")


def test_files_are_downloaded_from_an_address_that_ends_in_a_slash():
    some = {**TEXTS, **gzip_files()}
    del some["ptb.valid.txt"]
    with serve({f"/data/{name}": text for name, text in some.items()}) as address:
        assert read_texts(f"{address}/data/") == TEXTS
        assert_error(
            lambda: read_texts(f"{address}/other/"),
            "/other/ has no ptb.train.txt, ptb.valid.txt, ptb.test",
        )


def test_address_without_http_is_rejected():
    for source in ("ftp://127.0.0.1/a.tgz", "file:///etc/"):
        assert_error(
            lambda source=source: read_texts(source),
            f"{source}",
            "expected a URL that begins with http:// or https://",
        )


def test_missing_source_names_addresses_and_license_terms():
    for part in ("simple-examples.tgz", "LDC99T42", "copyright", "rum gen-data ptb --source"):
        assert part in penn_treebank.MISSING_SOURCE
    assert "\n" not in penn_treebank.MISSING_SOURCE
