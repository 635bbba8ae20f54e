"""Ray itself, while a sweep needs it: a cluster that is running, or one of this machine alone."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rumcli.errors import ConfigError

_STORE = 80 * 2**20  # bytes: the least that Ray takes; nothing large goes through it


@contextlib.contextmanager
def ray(address: str | None, cores: int, debug: bool, flag: str = "--address") -> Iterator[None]:
    """Connect to a cluster, or be one, while the block runs.

    Args:
        address: Of a cluster that is running; None: on this machine.
        cores: Of this machine, for the runs; not of a cluster.
        debug: Whether to show what Ray and its processes print.
        flag: Option that names the cluster.

    Raises:
        ConfigError: If there is no cluster, or Ray does not start.
        SystemExit: With 143 at SIGTERM, unless somebody else has taken the signal.
    """
    import ray

    level = logging.WARNING if debug else logging.CRITICAL
    common = {"logging_level": level, "log_to_driver": debug, "include_dashboard": False}
    place = None
    if address is None:
        # Short: the names of sockets may have 107 bytes.
        place = tempfile.mkdtemp(prefix="rum-", dir="/tmp" if os.name == "posix" else None)
        common |= {"num_cpus": cores, "object_store_memory": _STORE, "_temp_dir": place}
        # Else Ray would connect to a cluster that the environment or an earlier start names.
        common["address"] = "local"
    else:
        del common["include_dashboard"]
        common["address"] = address
    with _sigterm_given_back():
        try:
            _start(address and f"{flag} {address}: ", common)
            for name in ("ray", "ray.tune", "ray.train", "ray.data"):
                logging.getLogger(name).setLevel(level)
            yield
        finally:
            ray.shutdown()
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)


def _start(where: str | None, options: dict[str, Any]) -> None:
    import ray

    try:
        ray.init(**options)
    except SystemExit:  # its answer to SIGTERM, with 1 or 15, as it takes the signal for itself
        raise SystemExit(128 + signal.SIGTERM) from None
    except Exception as error:  # bare ones too, as where its processes do not come up in time
        line = " ".join(str(error).split())[:300]
        if isinstance(error, UnicodeEncodeError):
            line = f"the name of {Path.cwd()} is not valid Unicode; start from another folder"
        raise ConfigError(f"{where or ''}can't start on Ray: {line}") from error
    if _is_main() and signal.getsignal(signal.SIGTERM) != signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _end)


@contextlib.contextmanager
def _sigterm_given_back() -> Iterator[None]:
    """Leave SIGTERM in the end as it was, whoever took it for himself meanwhile."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if _is_main() and before is not None:  # None: a handler that Python can't set again
            signal.signal(signal.SIGTERM, before)


def _is_main() -> bool:
    """Tell whether this is the thread in which Python has signals."""
    return threading.current_thread() is threading.main_thread()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
