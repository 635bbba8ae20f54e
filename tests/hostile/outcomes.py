"""How a call may end: it succeeds, or it refuses in one line; and nothing else has changed."""

import os
from pathlib import Path

from rumcli.errors import RumError
from tests.cli import in_process

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
    result = in_process.run(list(map(str, arguments)), Path.cwd())
    code, stderr = result.returncode, result.stderr
    assert code in (0, 1, 2), (code, stderr)
    assert "(a bug; " not in stderr, stderr
    if code:
        lines = stderr.splitlines()
        assert len(lines) == 1, stderr
        assert lines[0].startswith("rum: error: "), stderr
        assert lines[0].isprintable()
        assert len(lines[0]) <= _LONGEST
    assert listing(around.parent, [around / name for name in may_write]) == before
    return code, result.stdout, stderr


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
