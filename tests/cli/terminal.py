"""The real command in a terminal."""

import contextlib
import os
import subprocess

from tests.cli.commands import COMMAND, environment


def in_a_terminal(cwd, variables, *arguments):
    """Run `rum` with a pseudo-terminal as its stderr; return its output there."""
    import pty

    ours, theirs = pty.openpty()
    plain = {name: value for name, value in environment().items() if name != "CI"}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**plain, **variables},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = bytearray()
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while data := os.read(ours, 4096):
                seen.extend(data)
    os.close(ours)
    assert process.returncode == 0
    return seen.decode()
