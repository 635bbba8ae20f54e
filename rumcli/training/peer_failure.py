"""Handling of a lost process, which JAX reports by aborting the other processes.

JAX's client writes many lines to stderr and calls `abort()` in its own thread; it has no other
notification. The report is captured, and the abort is turned into one line and an exit code.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import IO, Any

from rumcli.errors import ConfigError, RumError, RunError

_GRACE = 5.0  # seconds for the main thread to end before the process is terminated
_GONE = re.compile(r"stopped sending heartbeats\):\s*((?:\d+[\s,]+)+)")
_LOST = "another process of the run ended or cannot be reached"
_OF_NETWORK = ("Gloo", "NCCL", "UNAVAILABLE", "coordination service")
_TAKEN_TWICE = ("ALREADY_EXISTS", "different incarnation", "already in error")


class PeerMonitor:
    """Monitor for the loss of other processes, from `watch` to the end of this process.

    Args:
        report: Callback that prints an error when the main thread cannot raise it.
        hint: Text appended to the message about a lost process, such as how to resume.
        shown: Whether native messages stay visible. The reason of an abort is then unavailable.
    """

    def __init__(self, report: Callable[[str], None], hint: str = "", shown: bool = False) -> None:
        self._report = report
        self._hint = hint
        self._held: IO[bytes] | None = None if shown else tempfile.TemporaryFile()  # noqa: SIM115
        self._handler: Any = None  # a C function that must not be collected
        self._error: RumError | None = None
        self.is_over = False  # run finished: an abort is ignored

    def watch(self) -> None:
        """Capture the output of native code, and handle its aborts."""
        if self._held is not None:
            for number, name in ((1, "stdout"), (2, "stderr")):
                _hold_back(number, name, self._held)
        if hasattr(signal, "SIGABRT") and os.name == "posix":
            self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._on_abort)
            # Not `signal.signal`: Python runs its handlers later, and `abort` does not wait.
            libc = ctypes.CDLL(None)
            libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
            libc.signal.restype = ctypes.c_void_p
            libc.signal(signal.SIGABRT, ctypes.cast(self._handler, ctypes.c_void_p))

    @property
    def error(self) -> RumError | None:
        """Error that ends this process; None until JAX reports the loss of another one."""
        return self._error

    def reason(self, error: Exception) -> str | None:
        """Return the message about the lost process that caused an exception.

        Args:
            error: Exception from a collective operation.

        Returns:
            The message; None if the exception has another cause.
        """
        # JAX raises a ValueError or a JaxRuntimeError, depending on the call.
        is_of_network = any(word in str(error) for word in _OF_NETWORK)
        for _ in range(20 if is_of_network else 1):  # the report may be delayed
            if self._error is not None:
                return str(self._error)
            time.sleep(0.05)
        return f"{_LOST}{self._hint}" if is_of_network else None

    def _on_abort(self, number: int) -> None:
        if self.is_over:
            threading.Event().wait()
        self._error = explain(self._report_of_jax(), self._hint)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(_GRACE)
        self._report(str(self._error))
        os._exit(self._error.exit_code)

    def _report_of_jax(self) -> str:
        with contextlib.suppress(OSError):  # shown in a terminal
            if self._held is not None:
                # Not `_held`: while the backend starts, stderr is redirected elsewhere.
                return os.pread(2, os.fstat(2).st_size, 0).decode(errors="replace")
        return ""


def explain(report: str, hint: str = "") -> RumError:
    """Return the error for an abort of native code.

    Args:
        report: Text that native code printed; empty if unknown.
        hint: Text appended to the message about a lost process.

    Returns:
        Error with a message of one line.
    """
    if any(words in report for words in _TAKEN_TWICE):
        return ConfigError(
            "two processes have the same number; give each its own: --process 0, --process 1 …"
        )
    if gone := _GONE.search(report):
        numbers = ", ".join(re.findall(r"\d+", gone.group(1)))
        return RunError(f"process {numbers} ended or cannot be reached{hint}")
    if "Failed to send RPC to coordination service" in report:
        return RunError(f"process 0 ended or cannot be reached{hint}")
    if not report or "JAX distributed service" in report:
        return RunError(f"{_LOST}{hint}")
    line = next((line for line in reversed(report.splitlines()) if line.strip()), "")
    return RunError(f"the backend aborted: {line[:300]}; run again with --debug for its messages")


def _hold_back(number: int, name: str, held: IO[bytes]) -> None:
    """Redirect the native output of a file descriptor; Python's stream is unaffected."""
    stream = getattr(sys, name)
    if stream is None:  # closed, as in a daemon
        return
    stream.flush()
    try:
        kept = os.dup(number)
    except OSError:
        return
    os.dup2(held.fileno(), number)
    attributes = {"encoding": stream.encoding, "errors": stream.errors}
    binary = io.BufferedWriter(io.FileIO(kept, "w"))
    setattr(sys, name, io.TextIOWrapper(binary, line_buffering=True, **attributes))
