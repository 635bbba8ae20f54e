import pytest

from rumcli.data import download
from rumcli.errors import ConfigError
from tests.assertions import assert_error
from tests.data.sources import serve


def fetch(url, tmp_path):
    download.download(url, tmp_path / "file")
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
            lambda: fetch(f"{address}/ftp", tmp_path), "ftp://127.0.0.1/x: expected an address that"
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
        (ending_early, "it ended 100 bytes too early"),
        (ending_early_in_chunks, "IncompleteRead"),
        (talking_nonsense, "what?"),
        (forbidding, "the server says HTTP Error 403: Forbidden"),
        (None, "the server says HTTP Error 404: Not Found"),
    ],
)
def test_failed_download_is_reported(tmp_path, answer, expected):
    with serve({"/a": answer}) as address:
        assert_error(
            lambda: fetch(f"{address}/a", tmp_path), f"can't download {address}/a: ", expected
        )


def test_not_found_raises_its_own_error(tmp_path):
    with serve({"/a": forbidding}) as address:
        with pytest.raises(download.NotThereError):
            fetch(f"{address}/b", tmp_path)
        with pytest.raises(ConfigError) as error:
            fetch(f"{address}/a", tmp_path)
    assert not isinstance(error.value, download.NotThereError)


def test_silent_server_times_out(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_SECONDS_OF_SILENCE", 0.1)
    with serve({"/a": lambda handler: handler.rfile.read(1)}) as address:
        assert_error(
            lambda: fetch(f"{address}/a", tmp_path), f"can't download {address}/a: timed out"
        )


def test_endless_download_is_aborted(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_LARGEST", 10**6)

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
        ("ftp://127.0.0.1/a.tgz", "expected an address that begins with http:// or https://"),
        ("file:///etc/passwd", "expected an address that begins with http:// or https://"),
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
