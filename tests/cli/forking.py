"""Processes of the fork server: `rum` without the seconds that importing TensorFlow takes.

They are real processes, with an id, signals, pipes and an exit code; what they lack is that the
interpreter and TensorFlow start up. Whatever depends on that, such as most environment variables,
needs a process of its own. With `RUM_TESTS_FRESH=1`, and where not on Linux, all have one.
"""

import atexit
import functools
import json
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path

import rumcli

PROGRAM = Path(__file__).with_name("fork_server.py")
# Read whenever they are needed, not when a library is imported; or by pytest alone.
HARMLESS = {"COLUMNS", "PYTEST_CURRENT_TEST"}
# Set by the import of Keras and TensorFlow, which a test may have imported since, and the fork
# server has as well.
IMPORTED = {
    *("ENABLE_RUNTIME_UPTIME_TELEMETRY", "HDF5_PLUGIN_PATH", "TF2_BEHAVIOR"),
    *("TPU_ML_PLATFORM", "TPU_ML_PLATFORM_VERSION", "TPU_SKIP_MDS_QUERY"),
}


def environment(extra=None):
    """Return an environment in which `rumcli` is found from any folder.

    Without PYTHONUNBUFFERED, with which output fails where it is printed and not at the end.
    """
    root = os.path.dirname(os.path.dirname(rumcli.__file__))  # noqa: PTH120 - for PYTHONPATH
    given = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**given, "PYTHONPATH": root, "COLUMNS": "100", **(extra or {})}


@functools.cache
def _started_in():
    """Return the environment of the fork server: that of the first command."""
    return environment()


def can_be_forked(env):
    """Tell whether a command in this environment may come from the fork server."""
    if not sys.platform.startswith("linux") or os.environ.get("RUM_TESTS_FRESH"):
        return False
    if "KERAS_BACKEND" in env:  # JAX may have threads as soon as it is imported
        return False
    differing = {name for name, _ in env.items() ^ _started_in().items()}
    return differing <= HARMLESS | IMPORTED


class ForkedProcess:
    """A command from the fork server, with the part of `subprocess.Popen` that tests need.

    Args:
        arguments: What follows `rum`.
        cwd: Its folder.
        env: Its environment, which must be one that `can_be_forked` allows.
    """

    def __init__(self, arguments, cwd, env):
        self.args = arguments
        self.returncode = None
        out, their_out = os.pipe()
        err, their_err = os.pipe()
        told, telling = os.pipe()
        request = {"arguments": arguments, "cwd": os.fspath(cwd), "environment": env}
        theirs = [their_out, their_err, telling]
        socket.send_fds(_server(), [json.dumps(request).encode()], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        self._told = os.fdopen(told)
        self.pid = int(self._told.readline())

    def poll(self):
        """Return the exit code, or None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout=None):
        """Wait for the exit code."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._told.readline())
            self._told.close()
        return self.returncode

    def communicate(self, timeout=None):
        """Return the rest of stdout and stderr."""
        found = ["", ""]

        def read(place, stream):
            if not stream.closed:
                with stream:
                    found[place] = stream.read()

        readers = [
            threading.Thread(target=read, args=each, daemon=True)
            for each in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join()
        return tuple(found)

    def send_signal(self, number):
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


@functools.cache
def _server():
    """Start the fork server; return the socket, whose closing ends it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, PROGRAM],
        env=_started_in(),
        stdin=theirs,
        # Pipes, as its commands have: Python looks only once whether a stream can seek.
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    theirs.close()

    def end():
        ours.close()
        process.communicate()

    atexit.register(end)
    return ours
