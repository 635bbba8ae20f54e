"""One process at a time in a run folder.

A file says who is there. On one machine the kernel holds the lock, and lets go of it however the
process ends. Other machines that share the folder may not hear of that: for them the owner touches
the file again and again, and is taken for dead when it no longer does.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from rumcli.errors import RunError

NAME = "lock"
_BEAT = 10.0  # seconds between two signs of life
_DEAD_AFTER = 60.0  # seconds without one


@dataclass(frozen=True)
class Owner:
    """Who has a run folder.

    Attributes:
        host: Name of the machine.
        process: Process number there.
        since: When it took the folder, in local time.
    """

    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} (since {self.since})"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Owner | None]:
    """Keep other processes out of a run folder while the block runs.

    Args:
        folder: The folder.

    Yields:
        Who had it before and is gone without having given it back; None if nobody.

    Raises:
        RunError: If another process has it.
        OSError: If the folder can't be written.
    """
    path = folder / NAME
    file, before = _take(path)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, stop), name="lock", daemon=True)
    beat.start()
    try:
        yield before
    finally:
        stop.set()
        beat.join()
        # Removed while it is held: who opened it meanwhile finds another file under the name.
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def _take(path: Path) -> tuple[IO[str], Owner | None]:
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            is_free = _lock(file)
            if is_free and not _is_at(file, path):
                file.close()
                continue
            owner = _read(file)
            here = socket.gethostname()
            if not is_free or (owner and owner.host != here and _is_alive(path)):
                raise RunError(_refusal(path, owner, here))
            _write(file, Owner(here, os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S")))
        except BaseException:
            file.close()
            raise
        return file, owner


def _lock(file: IO[str]) -> bool:
    """Take the kernel's lock of a file; False if another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows: its processes only see what the file says
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _read(file: IO[str]) -> Owner | None:
    file.seek(0)
    try:
        found: Any = json.loads(file.read(1000))
        return Owner(str(found["host"]), int(found["process"]), str(found["since"]))
    except (ValueError, KeyError, TypeError):  # empty, or its writer died while it wrote
        return None


def _write(file: IO[str], owner: Owner) -> None:
    file.truncate(0)
    file.write(json.dumps(asdict(owner)))
    file.flush()


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(_BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _is_alive(path: Path) -> bool:
    """Tell whether the owner, on another machine, gave a sign of life lately."""
    # By the clock of the file system, which all machines share.
    probe = path.with_name(f".{NAME}.{os.getpid()}")
    probe.touch()
    try:
        return probe.stat().st_mtime - path.stat().st_mtime < _DEAD_AFTER
    finally:
        probe.unlink()


def _refusal(path: Path, owner: Owner | None, here: str) -> str:
    who = owner or "another process"
    what = f"run folder {path.parent} is in use by {who}; "
    if owner and owner.host != here:
        return (
            f"{what}if that is gone, wait until it gave no sign of life for {_DEAD_AFTER:.0f} "
            "seconds, and try again"
        )
    return f"{what}stop that first, or wait until it is done"
