"""The connections between the processes of one run, by which they hear of each other's end.

Whoever ends without a word is missed at once, by its connection; a machine that is gone, or a
process that hangs, by its silence. Messages are lines of JSON with a limit on their length; nothing
that is received is run.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rumcli import json_parser

BEAT = 2.0  # seconds between two signs of life
MOMENT = 5.0  # seconds: for an answer, or until who broke a connection is found out
_DEAD_AFTER = 60.0  # seconds without a sign of life; a cold import of TensorFlow gives none
_POLL = 0.1  # seconds
_LONGEST_LINE = 4_000_000  # characters


class Connection:
    """A line of JSON at a time, to and from one other process."""

    def __init__(self, taken: socket.socket) -> None:
        taken.settimeout(MOMENT)
        taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = taken
        self._file = taken.makefile("r", encoding="utf-8", newline="\n")
        self._lock = threading.Lock()
        self.host = taken.getpeername()[0]

    def expect_signs_of_life(self) -> None:
        """Wait as long for a message as a process that is alive lets one wait."""
        self._socket.settimeout(_DEAD_AFTER)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message.

        Raises:
            OSError: If it can't be.
        """
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """Wait for a message.

        Raises:
            OSError: If the connection broke, is silent for too long, or what came is no message.
        """
        try:
            line = self._file.readline(_LONGEST_LINE)
            found = json_parser.parse(line, allow_nan=True) if line.endswith("\n") else None
        except ValueError as error:
            raise ConnectionError("what came is no message") from error
        if not isinstance(found, dict):
            raise ConnectionError("the connection is closed" if not line else "no message came")
        return found

    def close(self) -> None:
        """End the connection."""
        # Closing alone would wait for whoever is reading.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Link:
    """The connections of a process to the others, once all are there.

    Args:
        rank: Of this process.
        cluster: Addresses for TensorFlow, by rank.
        others: Connections by the rank of who is at the other end: of the chief all, else the
            chief's.
    """

    def __init__(self, rank: int, cluster: Sequence[str], others: dict[int, Connection]) -> None:
        self.rank = rank
        self.cluster = tuple(cluster)
        self._others = others
        for connection in others.values():
            connection.expect_signs_of_life()
        self._reason: str | None = None
        self._lost = threading.Event()
        self._ending = threading.Event()
        self._done: dict[int, threading.Event] = {other: threading.Event() for other in others}
        self._on_loss: Callable[[str], None] = lambda reason: None

    def watch(self, on_loss: Callable[[str], None]) -> None:
        """Begin to give and to expect signs of life.

        Args:
            on_loss: Called once, in a thread of its own, with why the run can't go on.
        """
        self._on_loss = on_loss
        for number in self._others:
            threading.Thread(target=self._hear, args=(number,), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def reason(self) -> str | None:
        """Return why the run can't go on, which may be known in a moment; None: it is not known."""
        self._lost.wait(MOMENT)
        return self._reason

    def fail(self, message: str) -> None:
        """Tell the others that this process ends the run, and why."""
        self._ending.set()
        self._tell({"failed": f"{name_of(self.rank)}: {message}"})

    def finish(self) -> None:
        """Tell the others that all is done here, and wait until it is there too."""
        self._tell({"done": True})
        for done in self._done.values():
            while not done.wait(_POLL) and not self._lost.is_set():
                pass
        self._ending.set()
        for connection in self._others.values():
            connection.close()

    def _tell(self, message: dict[str, Any], *, but: int | None = None) -> None:
        for number, connection in self._others.items():
            if number != but:
                with contextlib.suppress(OSError):  # whoever hears it is told of that
                    connection.send(message)

    def _beat(self) -> None:
        while not self._ending.wait(BEAT):
            self._tell({})

    def _hear(self, number: int) -> None:
        connection = self._others[number]
        try:
            while True:
                message = connection.receive()
                if message.get("done"):
                    self._done[number].set()
                if "failed" in message:
                    self._lose(number, str(message["failed"])[:1000])
                    return
        except OSError as error:
            if not self._done[number].is_set():
                silent = isinstance(error, TimeoutError)
                how = f"gave no sign of life for {_DEAD_AFTER:.0f} seconds" if silent else "is gone"
                where = "" if _is_here(connection.host) else f" on {connection.host}"
                self._lose(number, f"{name_of(number)}{where} {how}")

    def _lose(self, number: int, reason: str) -> None:
        if self._lost.is_set() or self._ending.is_set():
            return
        self._reason = reason
        self._lost.set()
        if self.rank == 0:  # the others hear of each other by way of the chief
            self._tell({"failed": reason}, but=number)
        self._on_loss(reason)


def name_of(rank: int) -> str:
    """Return what a process is called in messages."""
    return f"worker {rank}" if rank else "worker 0, the chief,"


def _is_here(host: str) -> bool:
    return host in ("127.0.0.1", "::1")
