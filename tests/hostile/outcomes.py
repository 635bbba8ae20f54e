"""How a call may end: it succeeds, or it refuses in one line; and nothing else has changed."""

import contextlib
import io
import os
import sys
from functools import cache

from rumcli.errors import RumError

_LONGEST = 2100  # characters of a message: nobody reads more
REFUSED = object()


def attempt(function, *arguments, around):
    """Call a function that only reads; return what it does, or `REFUSED`.

    Asserts that it raises nothing but our errors, of one readable line, and that nothing has
    changed in `around` or its parent.
    """
    before = listing(around.parent)
    try:
        found = function(*arguments)
    except RumError as error:
        # The command line makes one line of it, without control characters and not too long.
        said, found = str(error), REFUSED
    assert found is not REFUSED or said.strip()
    assert listing(around.parent) == before
    return found


def rum(*arguments, around, may_write=()):
    """Run `rum` in this process; return exit code, stdout and stderr.

    Asserts that it ends as it should, and that nothing has changed but the names `may_write` in
    `around`.
    """
    before = listing(around.parent, [around / name for name in may_write])
    out, err = io.BytesIO(), io.BytesIO()
    with _streams(out, err):
        code = _command()(list(map(str, arguments)))
    stderr = err.getvalue().decode(errors="replace")
    assert code in (0, 1, 2), (code, stderr)
    assert "(a bug; " not in stderr, stderr
    if code:
        lines = stderr.splitlines()
        assert len(lines) == 1, stderr
        assert lines[0].startswith("rum: error: "), stderr
        assert lines[0].isprintable()
        assert len(lines[0]) <= _LONGEST
    assert listing(around.parent, [around / name for name in may_write]) == before
    return code, out.getvalue().decode(errors="replace"), stderr


def listing(folder, leaving_out=()):
    """Return all that is in a folder, with what shows that it was changed."""
    found = {}
    for entry in _walk(folder, {str(path) for path in leaving_out}):
        status = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
        # A folder's time tells of files that came and went in it, such as those aside.
        found[entry.path] = (status.st_mode, status.st_ino) + (
            () if is_folder else (status.st_size, status.st_mtime_ns)
        )
    return found


def _walk(folder, leaving_out):
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.path in leaving_out:
                continue
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, leaving_out)


@cache
def _command():
    """Return `main` without what Typer does anew at each call: to make the command takes 0.1 s."""
    import typer

    from rumcli.cli import app as module

    command = typer.main.get_command(module.app)

    def main(arguments):
        original, module.app = module.app, command
        try:
            return module.main(arguments)
        finally:
            module.app = original

    return main


@contextlib.contextmanager
def _streams(out, err):
    """Put streams as `run` has them in the place of the process's own."""
    before = sys.stdout, sys.stderr
    ours = [
        io.TextIOWrapper(stream, "utf-8", errors="replace", write_through=True)
        for stream in (out, err)
    ]
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in ours:
            stream.detach()  # else it would close what it writes to
