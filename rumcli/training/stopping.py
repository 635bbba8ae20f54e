"""Signals that ask a run to stop: noted at once, obeyed after the step that is under way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Container, Iterator
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
_PATIENCE = 10.0  # seconds that a second signal gives to what should end the process by itself


class StopRequest:
    """Whether, and by which signal, a stop was asked for.

    Attributes:
        signal: The signal's number, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None


@contextlib.contextmanager
def listening() -> Iterator[StopRequest]:
    """Note SIGINT, SIGTERM and SIGHUP while the block runs; the second one acts as it always does.

    Python hears of a signal between two of its own operations only. If none ends within seconds
    after the second signal, as while a huge matrix is made, the process ends there and then, with
    128 and the signal's number.

    A signal that is ignored, as `nohup` has it, stays ignored. Outside of the main thread, where
    Python has no signals, nothing is noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    previous = {n: handler for n, handler in handlers.items() if handler != signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number
        for other, handler in previous.items():
            signal.signal(other, handler)

    for number in previous:
        signal.signal(number, note)
    try:
        with _ending_at_the_second(previous):
            yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _ending_at_the_second(signals: Container[int]) -> Iterator[None]:
    """End the process if the block goes on for long after the second of these signals."""
    heard, told = socket.socketpair()
    told.setblocking(False)
    ended = threading.Event()

    def listen() -> None:
        count = 0
        while number := int.from_bytes(heard.recv(1)):
            count += number in signals
            if count == 2 and not ended.wait(_PATIENCE):
                os._exit(128 + number)

    listener = threading.Thread(target=listen, name="rum-signals", daemon=True)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    listener.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(before)
        told.close()
        listener.join()
        heard.close()
