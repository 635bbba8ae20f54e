"""A program that imports Keras and TensorFlow once, and forks off a `rum` whenever it is asked to.

`tests/cli/forking.py` starts it and talks to it. It runs no operation, so that TensorFlow has no
thread yet; and it imports nothing of ours, so that a command imports what it needs, as always.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys

PRELOADED = (
    *("numpy", "pydantic", "yaml", "typer.rich_utils", "rich.progress", "rich.table"),
    *("tensorflow", "keras", "matplotlib.figure", "matplotlib.backends.backend_agg"),
)
LARGEST = 1 << 18  # bytes of a request: arguments and environment


def main():
    """Serve until the other end of stdin, a socket, is closed; in a child, be the command."""
    control = socket.socket(fileno=os.dup(0))
    point(0, os.open(os.devnull, os.O_RDONLY))
    sys.path.pop(0)  # this file's folder
    given = set(os.environ)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or a collection in a child would copy all pages that have objects
    command = serve(control)
    if command is not None:
        for name in given - set(command["environment"]):  # not what an import has set
            del os.environ[name]
        become(**command)


def serve(control):
    """Fork for each request; return the request in the child, None at the end of the requests.

    With a request come the file descriptors of stdout, stderr and a pipe, to which go first the
    command's process id and then its exit code.
    """
    running = {}  # an end of a pipe whose other end only the command has: its id, where to tell
    while True:
        ready, _, _ = select.select([control, *running], [], [])
        for ended in set(ready) & set(running):
            pid, told = running.pop(ended)
            tell(told, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            close(ended, told)
        if control in ready:
            request, descriptors, *_ = socket.recv_fds(control, LARGEST, 3)
            if not request:
                return None
            out, err, told = descriptors
            ended, held = os.pipe()
            pid = os.fork()
            if pid == 0:
                point(1, out)
                point(2, err)
                close(told, ended, *running, *(other for _, other in running.values()))
                control.close()
                return json.loads(request)
            close(out, err, held)
            running[ended] = pid, told
            tell(told, pid)


def become(arguments, cwd, environment):
    """Go on as `python -m rumcli` would, to the end of the interpreter."""
    os.setsid()
    os.chdir(cwd)
    os.environ.update(environment)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as -m does
    sys.argv[1:] = arguments
    runpy.run_module("rumcli", run_name="__main__", alter_sys=True)


def point(number, descriptor):
    """Make a standard stream be another file."""
    os.dup2(descriptor, number)
    os.close(descriptor)


def tell(descriptor, number):
    """Write a line unless the reader is gone."""
    with contextlib.suppress(BrokenPipeError):
        os.write(descriptor, b"%d\n" % number)


def close(*descriptors):
    """Close file descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    main()
