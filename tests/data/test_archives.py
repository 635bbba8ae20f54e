""""""

import contextlib
import gzip
import os
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rumcli.data import archives
from rumcli.errors import ConfigError
from tests.assertions import assert_error
from tests.data.sources import TEXTS, archive_members, gzip_files, serve, write_tar, write_zip
from tests.marks import needs_pipes

MODES = ["w", "w:gz", "w:bz2", "w:xz"]
both_forms = pytest.mark.parametrize("texts", [TEXTS, gzip_files()], ids=["plain", "gz"])


def read_entries(path):
    """Return the content of all entries by name; none of them is large."""
    return {entry.name.removesuffix(".gz"): entry.read(10**6) for entry in archives.entries(path)}


def pack_as(kind, path, members):
    return write_zip(path, members) if kind == "zip" else write_tar(path, members, kind)


@pytest.mark.parametrize("place", [".", "data", "a/b/c/d"])
@both_forms
def test_directory_yields_files_of_all_levels(tmp_path, place, texts):
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        (tmp_path / place / name).write_bytes(content)
    assert read_entries(tmp_path) == TEXTS


def test_circular_links_are_ignored(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "circle").symlink_to(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    assert [entry.location for entry in archives.entries(tmp_path)] == [str(tmp_path / "file")]


@pytest.mark.parametrize("kind", [*MODES, "zip"])
@both_forms
def test_archive_is_read_under_any_name(tmp_path, kind, texts):
    assert read_entries(pack_as(kind, tmp_path / "x", archive_members(texts=texts))) == TEXTS


@pytest.mark.parametrize("kind", ["w:gz", "zip"])
def test_entry_has_its_directory(tmp_path, kind):
    names = ["top", "./here", "a/one", "a/b/two", "..\\a\\c\\three"]
    path = pack_as(kind, tmp_path / "x", [(name, b"") for name in names])
    directories = [entry.directory for entry in archives.entries(path)]
    assert directories == ["", "", "a", "b", "c"]


@pytest.mark.parametrize("kind", ["w:gz", "zip"])
def test_read_is_limited_to_the_requested_size(tmp_path, kind):
    members = [("a.gz", gzip.compress(bytes(10**7))), ("b", bytes(10**7))]
    path = pack_as(kind, tmp_path / "x", members)
    assert [len(entry.read(1000)) for entry in archives.entries(path)] == [1000, 1000]


@pytest.mark.parametrize("prefix", ["../../", "/tmp/", "..\\..\\", "C:\\x\\"])
@pytest.mark.parametrize("kind", ["w:gz", "zip"])
def test_paths_outside_the_archive_are_not_followed(tmp_path, monkeypatch, prefix, kind):
    place = tmp_path / "a" / "b" / "c"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    path = pack_as(kind, tmp_path / "x", archive_members(prefix))
    before = set(tmp_path.rglob("*"))
    assert read_entries(path) == TEXTS
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_links_and_devices_in_a_tar_are_ignored(tmp_path, kind):
    (tmp_path / "secret").write_bytes(b"secret")
    info = tarfile.TarInfo("link")
    info.type = kind
    info.linkname = str(tmp_path / "secret")
    assert read_entries(write_tar(tmp_path / "x", [("file", b"1"), (info, b"")])) == {"file": b"1"}


def test_links_and_directories_in_a_zip_are_ignored(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = write_zip(tmp_path / "x", [("file", b"1"), (info, b"/etc/passwd"), ("folder/", b"")])
    assert read_entries(path) == {"file": b"1"}


@pytest.mark.parametrize("mode", MODES)
def test_tar_that_exceeds_the_unpacked_limit_is_rejected(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(archives, "_LARGEST_UNPACKED", 2**20)
    path = write_tar(tmp_path / "x", [("zeros", bytes(2**21)), ("file", b"1")], mode)
    assert_error(
        lambda: read_entries(path), f"{path} unpacks to more than 1 MiB; unpack the files you need"
    )


def test_tar_headers_count_toward_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_LARGEST_UNPACKED", 2**20)
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * (2**20 - 100)}
    assert_error(
        lambda: read_entries(write_tar(tmp_path / "x", [(info, b"")])),
        "x unpacks to more than 1 MiB",
    )


def test_tar_with_an_impossible_declared_size_is_rejected_at_once(tmp_path):
    info = tarfile.TarInfo("a")
    info.size = 2**62
    (tmp_path / "x").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert_error(lambda: read_entries(tmp_path / "x"), "x unpacks to more than 512 MiB")


def test_a_header_that_is_too_long_is_not_read(tmp_path):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 2**21}
    assert_error(
        lambda: read_entries(write_tar(tmp_path / "x", [(info, b"")])), "a header is too long"
    )


@pytest.mark.parametrize("make", [write_tar, write_zip])
def test_archive_with_too_many_files_is_rejected(tmp_path, monkeypatch, make):
    monkeypatch.setattr(archives, "_MOST_FILES", 10)
    path = make(tmp_path / "x", [(f"{number}", b"") for number in range(11)])
    assert_error(lambda: read_entries(path), "x has more than 10 files")


@pytest.mark.parametrize("share", [0.01, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("kind", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_truncated_archive_is_rejected(tmp_path, kind, share):
    path = pack_as(kind, tmp_path / "x", [("noise", os.urandom(3000)), *archive_members()])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert_error(lambda: read_entries(path), f"{path} is ", "damaged")


def test_plain_tar_truncated_within_a_file_is_rejected(tmp_path):
    path = write_tar(tmp_path / "x", [("noise", os.urandom(3000))], "w")
    path.write_bytes(path.read_bytes()[:2000])
    assert_error(
        lambda: read_entries(path), f"{path}: noise is damaged or truncated: unexpected end of data"
    )


def test_changed_bytes_in_a_zip_are_detected(tmp_path):
    path = write_zip(tmp_path / "x", [("noise", noise := os.urandom(3000))])
    path.write_bytes(path.read_bytes().replace(noise[1000:1500], bytes(500)))
    assert_error(lambda: read_entries(path), f"{path}: noise is damaged or truncated: ")


@settings(max_examples=300)
@given(
    kind=st.sampled_from([*MODES, "zip"]),
    gz=st.booleans(),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(1, 255),
)
def test_changed_byte_raises_only_config_error(tmp_path_factory, kind, gz, place, byte):
    members = archive_members(texts=gzip_files() if gz else TEXTS)
    path = pack_as(kind, tmp_path_factory.mktemp("changed") / "x", members)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= byte
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        read_entries(path)


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (8, 1, "is encrypted; unpack it"),
        (10, 99, ": café is damaged or truncated: That compression method is not supported"),
        (46, 0xFF, "is damaged or truncated: 'utf-8' codec can't decode"),
    ],
    ids=["a password", "an unknown compression", "a name that is no UTF-8"],
)
def test_unsupported_zip_is_rejected(tmp_path, offset, value, expected):
    path = write_zip(tmp_path / "x", [("café", b"1")])
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")  # the file's entry in the directory
    content[entry + offset] = value
    path.write_bytes(content)
    assert_error(lambda: read_entries(path), str(path), expected)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"<!DOCTYPE html>" * 500, gzip.compress(b"x")],
    ids=["empty", "text", "page", "gz"],
)
def test_file_that_is_no_archive_is_rejected(tmp_path, content):
    (tmp_path / "page").write_bytes(content)
    assert_error(
        lambda: read_entries(tmp_path / "page"),
        "page is not an archive, or is damaged",
        "expected a directory, or .zip,",
    )


def test_missing_path_is_reported(tmp_path):
    assert_error(
        lambda: read_entries(tmp_path / "nowhere"),
        f"{tmp_path / 'nowhere'} does not exist; expected a directory or",
    )
    assert_error(lambda: read_entries(tmp_path / ("x" * 300)), "File name too long")


@needs_pipes
def test_pipe_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert_error(
        lambda: read_entries(tmp_path / "pipe"),
        f"{tmp_path / 'pipe'} is neither a directory nor an archive",
    )


def test_messages_use_the_given_name_of_an_archive(tmp_path):
    path = write_tar(tmp_path / "x", [("noise", b"1")])
    assert [entry.location for entry in archives.entries(path, "the web")] == ["the web: noise"]
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ConfigError, match=r"^the web is damaged"):
        list(archives.entries(path, "the web"))


def fetch(url, tmp_path):
    archives.download(url, tmp_path / "file")
    return (tmp_path / "file").read_bytes()


def test_a_file_is_downloaded_byte_by_byte(tmp_path):
    content = bytes(range(256)) * 1000
    with serve({"/a?raw=true": content}) as address:
        assert fetch(f"{address}/a?raw=true", tmp_path) == content


def redirecting(to):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def test_redirections_are_followed_within_the_web_only(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    answers = {
        "/a": redirecting("/b"),
        "/b": b"there",
        "/file": redirecting((tmp_path / "secret").as_uri()),
        "/ftp": redirecting("ftp://127.0.0.1/x"),
        "/circle": redirecting("/circle"),
    }
    with serve(answers) as address:
        assert fetch(f"{address}/a", tmp_path) == b"there"
        assert_error(
            lambda: fetch(f"{address}/file", tmp_path),
            f"can't download {address}/file: ",
            "not allowed",
        )
        assert_error(
            lambda: fetch(f"{address}/ftp", tmp_path), "ftp://127.0.0.1/x: expected a URL that"
        )
        assert_error(
            lambda: fetch(f"{address}/circle", tmp_path),
            f"can't download {address}/circle: ",
            "infinite",
        )


def ending_early(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 900)


def ending_early_in_chunks(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nhello\r\n50\r\nx")
    handler.close_connection = True


def talking_nonsense(handler):
    handler.wfile.write(b"what?\r\n\r\n")


def forbidding(handler):
    handler.send_error(403)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (ending_early, "100 bytes are missing at its end"),
        (ending_early_in_chunks, "IncompleteRead"),
        (talking_nonsense, "what?"),
        (forbidding, "the server responded HTTP Error 403: Forbidden"),
        (None, "the server responded HTTP Error 404: Not Found"),
    ],
)
def test_failed_download_is_reported(tmp_path, answer, expected):
    with serve({"/a": answer}) as address:
        assert_error(
            lambda: fetch(f"{address}/a", tmp_path), f"can't download {address}/a: ", expected
        )


def test_missing_url_raises_not_found(tmp_path):
    with serve({"/a": forbidding}) as address:
        with pytest.raises(archives.NotFoundError):
            fetch(f"{address}/b", tmp_path)
        with pytest.raises(ConfigError) as error:
            fetch(f"{address}/a", tmp_path)
    assert not isinstance(error.value, archives.NotFoundError)


def test_silent_server_times_out(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_TIMEOUT", 0.1)
    with serve({"/a": lambda handler: handler.rfile.read(1)}) as address:
        assert_error(
            lambda: fetch(f"{address}/a", tmp_path), f"can't download {address}/a: timed out"
        )


def test_endless_download_is_aborted(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_LARGEST", 10**6)

    def pouring(handler):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(1000):
            try:
                handler.wfile.write(bytes(10**5))
            except OSError:  # the client went away
                return

    with serve({"/a": pouring}) as address:
        assert_error(lambda: fetch(f"{address}/a", tmp_path), "/a has more than 1 MB")
    assert (tmp_path / "file").stat().st_size <= 10**6


def test_disk_error_is_reported(tmp_path):
    (tmp_path / "file").mkdir()
    with serve({"/a": b"x"}) as address:
        assert_error(
            lambda: fetch(f"{address}/a", tmp_path), f"can't download {address}/a: Is a directory"
        )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://127.0.0.1/a.tgz", "expected a URL that begins with http:// or https://"),
        ("file:///etc/passwd", "expected a URL that begins with http:// or https://"),
        ("http://[bad/a.tgz", "can't download http://[bad/a.tgz: Invalid IPv6 URL"),
        ("http://127.0.0.1:x/a", "can't download http://127.0.0.1:x/a: nonnumeric port: 'x'"),
        ("http:///a", "can't download http:///a: no host given"),
        ("http://127.0.0.1:1/a", "can't download http://127.0.0.1:1/a: Connection refused"),
        ("http://127.0.0.1:1/a b", "can't download http://127.0.0.1:1/a b: URL can't contain"),
    ],
)
def test_invalid_address_is_reported(tmp_path, monkeypatch, url, expected):
    monkeypatch.setenv("no_proxy", "*")
    assert_error(lambda: fetch(url, tmp_path), expected)
