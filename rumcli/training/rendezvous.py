"""How the processes of one run find each other.

The chief waits at an address; each worker connects, and is told the run's configuration and where
all others are. The connections stay: see `link`. No TensorFlow.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rumcli import __version__
from rumcli.errors import ConfigError, RunError
from rumcli.training.link import BEAT, MOMENT, Connection, Link

_POLL = 0.1  # seconds


@dataclass(frozen=True)
class Address:
    """Where the chief waits."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read HOST:PORT.

    Raises:
        ConfigError: If it is something else, or no one place, such as 0.0.0.0.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 2**16):
        raise ConfigError(f"--address {text}: expected HOST:PORT, as in 10.0.0.1:29500")
    if _is_any(host):  # one can wait there; but it is what the others would be told to go to
        raise ConfigError(
            f"--address {text}: expected the address at which the others reach worker 0, as in "
            "10.0.0.1:29500"
        )
    return Address(host, int(port))


def _is_any(host: str) -> bool:
    """Tell whether a host stands for all addresses of a machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:  # a name
        return False


class Meeting:
    """The chief's: a place where the workers are waited for.

    Args:
        address: Where; port 0 is any that is free.
        count: Number of processes, the chief included.

    Raises:
        ConfigError: If nobody can be waited for there.
    """

    def __init__(self, address: Address, count: int) -> None:
        self._count = count
        self._host = address.host
        try:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            self._listening = socket.create_server((address.host, address.port), family=family)
        except OSError as error:
            raise ConfigError(
                f"--address {address}: can't wait there for workers: {error.strerror or error}"
            ) from error
        self._listening.settimeout(_POLL)
        self.address = Address(address.host, self._listening.getsockname()[1])

    def gather(
        self,
        config: str,
        go_on: Callable[[], None],
        turned_away: Callable[[str], None],
        seconds: float,
    ) -> Link:
        """Wait for all workers.

        Args:
            config: The run's configuration, as YAML.
            go_on: Called again and again; raises what shall end the waiting.
            turned_away: Told of whoever came and could not stay.
            seconds: How long to wait.

        Raises:
            RunError: If somebody did not come.
        """
        found: dict[int, Connection] = {}
        ports: dict[int, int] = {}
        deadline = time.monotonic() + seconds
        try:
            while len(found) < self._count - 1:
                go_on()
                if time.monotonic() > deadline:
                    missing = [str(n) for n in range(1, self._count) if n not in found]
                    raise RunError(
                        f"worker {', '.join(missing)} of {self._count} did not come to "
                        f"{self.address} within {seconds:.0f} seconds"
                    )
                try:
                    connection = Connection(self._listening.accept()[0])
                    hello = connection.receive()
                except OSError:  # nobody, or somebody else
                    continue
                if complaint := self._complaint(hello, found):
                    turned_away(complaint)
                    _send_quietly(connection, {"error": complaint})
                    continue
                found[hello["worker"]], ports[hello["worker"]] = connection, hello["port"]
            cluster = [_joined(self._host, _free_port(self._host))]
            cluster += [_joined(found[n].host, ports[n]) for n in range(1, self._count)]
            for connection in found.values():
                connection.send({"cluster": cluster, "config": config})
        except BaseException as error:
            for connection in found.values():
                connection.close()
            if isinstance(error, OSError):
                raise RunError("a worker went while the others were waited for") from error
            raise
        finally:
            self._listening.close()
        return Link(0, cluster, found)

    def _complaint(self, hello: dict[str, Any], found: dict[int, Connection]) -> str | None:
        rank = hello.get("worker")
        if hello.get("rum") != __version__:
            return f"a worker has rum {hello.get('rum')}, the chief has {__version__}"
        if not isinstance(rank, int) or not 0 < rank < self._count:
            return f"a worker came as number {rank}; expected 1 to {self._count - 1}"
        if rank in found:
            return f"two workers came as number {rank}"
        port = hello.get("port")
        return None if isinstance(port, int) and 0 < port < 2**16 else "a worker has no port"


def join(
    address: Address, rank: int, go_on: Callable[[], None], seconds: float
) -> tuple[Link, str]:
    """Go to the chief, who may not be there yet, and wait for the others.

    Args:
        address: Where the chief waits.
        rank: Of this worker, from 1.
        go_on: Called again and again; raises what shall end the waiting.
        seconds: How long to wait for the chief, and then for the others.

    Returns:
        The connection, and the run's configuration as YAML.

    Raises:
        RunError: If the chief is not there, or gone again.
        ConfigError: If the chief does not take this worker.
    """
    deadline = time.monotonic() + seconds
    while True:
        go_on()
        try:
            taken = socket.create_connection((address.host, address.port), timeout=BEAT)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                reason = error.strerror or error
                raise RunError(f"no chief waits at {address}: {reason}") from error
            time.sleep(_POLL)
    connection = Connection(taken)
    port = _free_port(taken.getsockname()[0])
    try:
        connection.send({"worker": rank, "port": port, "rum": __version__})
        while not _has_come(taken):
            go_on()
            if time.monotonic() > deadline + seconds:
                raise RunError(f"the chief at {address} waits for others too long")
        answer = connection.receive()
    except OSError as error:
        raise RunError(f"the chief at {address} is gone") from error
    if "error" in answer:
        raise ConfigError(f"--worker {rank}: the chief at {address} refuses: {answer['error']}")
    return Link(rank, answer["cluster"], {0: connection}), answer["config"]


def _has_come(taken: socket.socket) -> bool:
    taken.settimeout(_POLL)
    try:
        taken.recv(1, socket.MSG_PEEK)  # also at the end
    except TimeoutError:
        return False
    finally:
        taken.settimeout(MOMENT)
    return True


def _free_port(host: str) -> int:
    """Return a port that TensorFlow can have. It can't be given one that is open already."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _send_quietly(connection: Connection, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.send(message)
        connection.close()
