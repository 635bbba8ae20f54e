"""Handling of the signals that end a command, also while the main thread runs native code.

Python runs a signal handler only between two bytecode instructions, which may be many seconds apart
while a graph is compiled. So a separate thread receives the signal numbers and prints a message at
once. It ends the process if the main thread does not. A `StopRequest` stops a run after its current
step.

Imports only the standard library, because `install` runs before any slow import.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_GRACE = 1.0  # seconds between a second signal and the end of the process
_SHOW_CURSOR = "\x1b[?25h"  # a live display hides it

ONE_RUN = (
    "the run stops after the current step and saves; a second signal ends it at once, without "
    "saving"
)
MANY_RUNS = (
    "the runs stop after their current steps and save; a second signal ends them at once, without "
    "saving"
)


class Interrupted(KeyboardInterrupt):
    """Exception in the main thread for a signal that ends the command.

    Attributes:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


@dataclass(frozen=True)
class Response:
    """Response to the first signal.

    Attributes:
        announcement: Line to print, without the name of the signal.
        delay: Seconds before it is printed. A command that ends earlier prints its own message.
        patience: Seconds until the process is ended; infinite to wait for the main thread.
        note: Callback in the main thread that receives the signal number; None to raise
            `Interrupted`.
    """

    announcement: str
    delay: float = 0.0
    patience: float = math.inf
    note: Callable[[int], None] | None = None


# Response of commands with nothing to save.
ENDING = Response("ending; a second signal ends at once", delay=0.3, patience=3.0)


class _Watcher:
    """Signal handlers and signal thread of the process.

    Args:
        response: Response to the first signal.
        ends_process: Whether to end the process if the main thread does not react: True for a
            command, False for a program or notebook that calls this package.
    """

    def __init__(self, response: Response, ends_process: bool) -> None:
        self.responses = [response]
        self._ends_process = ends_process
        self.ended_by: int | None = None
        self.write: Callable[[str], None] = self._write
        self._received = 0
        self._read, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        try:
            self._stderr = os.dup(2)  # a copy, because stderr is redirected while TensorFlow starts
        except OSError:  # closed, as in daemons
            self._stderr = -1
        self._thread = threading.Thread(target=self._watch, name="rum-signals", daemon=True)
        self._thread.start()

    def take(self) -> Callable[[], None]:
        """Install handlers of signals that are not ignored; return a function that undoes it."""
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        before = {number: each for number, each in before.items() if each != signal.SIG_IGN}
        for number in before:
            signal.signal(number, self._handle)
        descriptor = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

        def undo() -> None:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)

        return undo

    def close(self) -> None:
        """End the thread."""
        self._wake.close()
        self._thread.join()
        self._read.close()
        if self._stderr >= 0:
            os.close(self._stderr)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._received += 1
        note = self.responses[-1].note
        if self._received == 1 and note is not None:
            note(number)
            return
        self.ended_by = number
        raise Interrupted(number)

    def _watch(self) -> None:
        count, announcement = 0, ""
        announce_at = end_at = math.inf
        number = 0
        while True:
            left = min(announce_at, end_at) - time.monotonic()
            self._read.settimeout(None if left == math.inf else max(left, 1e-3))
            try:
                received = self._read.recv(1)
            except TimeoutError:
                received = None
            now = time.monotonic()
            if received == b"":
                return
            if received and _name(received[0]):
                number, count = received[0], count + 1
                if count == 1:
                    response = self.responses[-1]
                    announcement = f"rum: received {_name(number)}: {response.announcement}"
                    announce_at, end_at = now + response.delay, now + response.patience
                else:
                    end_at = min(end_at, now + _GRACE)
            if now >= announce_at:
                announce_at = math.inf
                self._announce(announcement)
            if now >= end_at:
                end_at = math.inf
                if self._ends_process:
                    self._end(number)

    def _announce(self, text: str) -> None:
        with contextlib.suppress(Exception):  # a failing display must not keep the process alive
            self.write(text)

    def _write(self, text: str) -> None:
        # Overwrites the ^C that a terminal shows.
        start = "\r\x1b[K" if self._stderr >= 0 and os.isatty(self._stderr) else ""
        if self._stderr >= 0:
            os.write(self._stderr, f"{start}{text}\n".encode(errors="replace"))

    def _end(self, number: int) -> None:
        is_terminal = self._stderr >= 0 and os.isatty(self._stderr)
        with contextlib.suppress(OSError):
            self._write(f"rum: error: interrupted{_SHOW_CURSOR if is_terminal else ''}")
        os._exit(128 + number)


_watcher: _Watcher | None = None


def install() -> None:
    """Handle SIGINT, SIGTERM and SIGHUP until the process ends."""
    global _watcher  # handlers belong to the process
    if _watcher is None and threading.current_thread() is threading.main_thread():
        _watcher = _Watcher(ENDING, ends_process=True)
        _watcher.take()


def uninstall() -> None:
    """Let signals end the process silently, after the command has written its output."""
    for name in _NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def responding(response: Response) -> Iterator[None]:
    """Replace the response to the first signal within the block.

    Outside of the main thread, where Python handles no signals, nothing changes. An ignored signal,
    as with `nohup`, stays ignored.

    Args:
        response: Response within the block.
    """
    global _watcher
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _watcher
    watcher = _Watcher(response, ends_process=False) if before is None else before
    _watcher = watcher
    watcher.responses.append(response)
    undo = watcher.take()  # again, because Ray replaces the SIGTERM handler
    try:
        yield
    finally:
        undo()
        watcher.responses.pop()
        if before is None:
            watcher.close()
            _watcher = None


@contextlib.contextmanager
def shown_by(write: Callable[[str], None]) -> Iterator[None]:
    """Print the announcement with a function that preserves a live display.

    Args:
        write: Function that receives the line; called from another thread.
    """
    watcher = _watcher
    if watcher is None:
        yield
        return
    before, watcher.write = watcher.write, write
    try:
        yield
    finally:
        watcher.write = before


def ended_by() -> int | None:
    """Return the number of the signal that ended the command; None if none did."""
    return None if _watcher is None else _watcher.ended_by


def _name(number: int) -> str | None:
    """Return the display name of a handled signal; None for other signals."""
    names = {getattr(signal, name, None): name for name in _NAMES}
    return "Ctrl-C" if number == signal.SIGINT else names.get(number)


class StopRequest:
    """Request to stop a run.

    Attributes:
        signal: Number of the signal that requested the stop; None if there was none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def note(self, number: int) -> None:
        """Request a stop.

        Args:
            number: Number of the signal.
        """
        self.signal = number


@contextlib.contextmanager
def listening(announcement: str = ONE_RUN) -> Iterator[StopRequest]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a stop request while the block runs.

    The first signal is announced at once. The second one raises `signals.Interrupted`. A `rum`
    command that still does not end, for example while it creates a huge matrix, exits with 128
    plus the signal's number. Other programs that train a model are not terminated.

    A signal that is already ignored, as under `nohup`, stays ignored. Outside the main thread,
    where Python has no signal handlers, the block runs without one.

    Args:
        announcement: Message about the effects of the first and second signal.

    Yields:
        The stop request.
    """
    request = StopRequest()
    with responding(Response(announcement, note=request.note)):
        yield request
