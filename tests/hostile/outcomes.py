"""Permitted outcomes of a call: success or a one-line error, without changed files."""

import os
from pathlib import Path

from rumcli.errors import RumError
from tests.cli import in_process

_LONGEST = 2100  # maximum characters of a message
REFUSED = object()


def attempt(function, *arguments, around):
    """Call a function that only reads; return its result, or `REFUSED`.

    Asserts that it raises only `RumError`, of one readable line, and that nothing has
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
    """Return the status of each entry of a directory, which changes with the entry."""
    found = {}
    for entry in _walk(folder, {str(path) for path in leaving_out}):
        status = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
        # The time of a directory changes with temporary files in it.
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
