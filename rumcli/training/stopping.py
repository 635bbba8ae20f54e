"""Signals that ask a run to stop: noted at once, obeyed after the step that is under way."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


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
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
