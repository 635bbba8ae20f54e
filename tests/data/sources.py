"""Three small texts in place of Penn Treebank's, packed in every way, and a web server for them."""

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import tarfile
import threading
import unittest.mock
import zipfile

from rumcli.tasks.char_lm.penn_treebank import TextFile

NO_PROXY = {"no_proxy": "*"}
TEXTS = {
    "ptb.train.txt": b" no it was n't black monday \n" * 50,
    "ptb.valid.txt": b" consumers may want to move \n" * 100,
    "ptb.test.txt": b" <unk> N caf\xe9 \n" * 20,
}
FILES = tuple(
    TextFile(name, len(text), hashlib.sha256(text).hexdigest()) for name, text in TEXTS.items()
)


def write_tar(path, members, mode="w:gz"):
    """Write a tar of `(name or TarInfo, content)` pairs."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path, members):
    """Write a zip of `(name or ZipInfo, content)` pairs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def archive_members(prefix="simple-examples/data/", texts=TEXTS):
    """Return the texts as members of an archive."""
    return [(prefix + name, text) for name, text in texts.items()]


def gzip_files(texts=TEXTS):
    """Return the texts as `.gz` files."""
    return {f"{name}.gz": gzip.compress(text) for name, text in texts.items()}


@contextlib.contextmanager
def serve(answers):
    """Serve on this machine; yields the address without the last slash.

    Args:
        answers: By path: bytes, or a function that takes the request handler.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path)
            if callable(answer):
                answer(self)
            elif answer is None:
                self.send_error(404)
            else:
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with unittest.mock.patch.dict(os.environ, NO_PROXY):
            yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
