"""Lock that gives one process at a time access to a run directory.

The lock file names the owner. On one machine it is a kernel lock, released however the process
ends. Other machines that share the directory may not see kernel locks. For them the owner updates
the file's modification time as a heartbeat, and is considered dead when the heartbeat stops.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from rumcli import atomic_io, output_dirs
from rumcli.errors import ConfigError, RunError
from rumcli.training import run_files

NAME = output_dirs.LOCK
FREE, HELD, ABANDONED = "free", "held", "abandoned"
_HEARTBEAT = 10.0  # seconds between heartbeats
_DEAD_AFTER = 60.0  # seconds without a heartbeat
_MAX_BYTES = 1000  # maximum bytes of a lock file
_LOCKED_BYTE = 2**30  # position of the locked byte on Windows
_MAX_ATTEMPTS = 1000  # while other processes keep removing the directory


@dataclass(frozen=True)
class Owner:
    """Process that holds a lock.

    Attributes:
        host: Host name of the machine.
        process: Process ID on that machine.
        since: Local time at which the lock was acquired.
    """

    host: str
    process: int
    since: str

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} (since {self.since})"


@contextlib.contextmanager
def claimed(
    path: Path | None, parent: Path, stem: str, described_by: Sequence[str]
) -> Iterator[Path]:
    """Create a directory and hold its lock while the block runs.

    The lock is acquired before the first file is written: of several processes with the same
    path, one gets the directory and the others write nothing. If the block raises a ConfigError
    and has written only the files in `described_by`, the directory is removed.

    Args:
        path: Directory to create. It may exist if it is empty, or if the process that created it
            was killed before it wrote all files in `described_by`. None: `PARENT/STEM-1`, or the
            next free number.
        parent: Parent of the numbered directories.
        stem: Name of the numbered directories.
        described_by: Names of the files that describe it, as for `output_dirs.is_not_started`.

    Yields:
        Path of the directory.

    Raises:
        ConfigError: If the directory is in use.
        RunError: If another process holds the lock.
        OSError: If the directory cannot be created.
    """
    with contextlib.ExitStack() as stack:
        place = _claim(path, parent, stem, described_by, stack)
        atomic_io.remove_unfinished(place)
        try:
            yield place
        except ConfigError:
            _remove_description(place, described_by)
            stack.close()
            with contextlib.suppress(OSError):  # not empty, or claimed by another process
                place.rmdir()
            raise


@contextlib.contextmanager
def held(directory: Path) -> Iterator[Owner | None]:
    """Hold the lock of a directory while the block runs.

    Args:
        directory: Directory to lock.

    Yields:
        The previous owner if it ended without releasing the lock; else None.

    Raises:
        RunError: If another process holds the lock.
        OSError: If the directory cannot be written, or its lock file is a link.
    """
    path = directory / NAME
    file, previous = _acquire(path)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(file, path, stop), name="lock", daemon=True)
    beat.start()
    try:
        yield previous
    finally:
        stop.set()
        beat.join()
        # Removed while locked: `_is_at` fails for processes that opened it in the meantime. Windows
        # cannot remove a file that such a process has open.
        if sys.platform == "win32":
            file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        file.close()


def state(directory: Path) -> str:
    """Return the state of a directory's lock without acquiring it.

    Acquiring it, even briefly, would fail a process that acquires it at the same moment.

    Args:
        directory: Directory to check.

    Returns:
        `FREE`, `HELD`, or `ABANDONED` if the owner ended without releasing the lock, for example
        because it was killed. The heartbeat of an owner on another machine is compared with the
        local clock.
    """
    path = directory / NAME
    try:
        age = time.time() - path.stat().st_mtime
        owner = run_files.parse(atomic_io.read_regular(path, _MAX_BYTES) or b"")
    except OSError:
        return FREE
    if age >= _DEAD_AFTER:
        return ABANDONED
    is_local = run_files.is_owner(owner) and owner["host"] == socket.gethostname()
    return HELD if not is_local or _exists(owner["process"]) else ABANDONED


def _exists(process: int) -> bool:
    """Return whether a process exists on this machine."""
    if os.name == "nt":  # `os.kill` would end it; rely on the heartbeat
        return True
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _claim(
    path: Path | None,
    parent: Path,
    stem: str,
    described_by: Sequence[str],
    stack: contextlib.ExitStack,
) -> Path:
    if path is not None:
        output_dirs.check_free(path, described_by)
    else:
        atomic_io.make_directory(parent, exist_ok=True)
    for number in itertools.count(1):
        place = path or parent / f"{stem}-{number}"
        with contextlib.ExitStack() as attempt:
            try:
                atomic_io.make_directory(place, exist_ok=path is not None)
                attempt.enter_context(held(place))
                output_dirs.check_free(place, described_by)  # stays free while locked
            except (FileNotFoundError, FileExistsError):
                # Another process has taken this number, or has just removed the directory.
                is_file = os.path.lexists(place) and not place.is_dir()
                if path is not None and (is_file or number == _MAX_ATTEMPTS):
                    raise
            except (RunError, ConfigError):
                if path is not None:
                    raise
            else:
                stack.push(attempt.pop_all())
                return place
    raise AssertionError("unreachable: the loop is endless")


def _remove_description(place: Path, described_by: Sequence[str]) -> None:
    with contextlib.suppress(OSError):
        others = {path.name for path in place.iterdir()} - {*described_by, NAME}
        if not others:
            for name in reversed(described_by):  # in reverse, so that it never looks complete
                (place / name).unlink(missing_ok=True)


def _acquire(path: Path) -> tuple[IO[bytes], Owner | None]:
    while True:
        file = os.fdopen(atomic_io.open_own(path, os.O_RDWR), "r+b", buffering=0)
        try:
            is_free = _lock(file)
            if is_free and not _is_at(file, path):
                file.close()
                continue
            owner = _read(file)
            here = socket.gethostname()
            if not is_free or (owner and owner.host != here and _is_alive(path)):
                raise RunError(_in_use(path, owner, here))
            _write(file, Owner(here, os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S")))
        except BaseException:
            file.close()
            raise
        return file, owner


def _lock(file: IO[bytes]) -> bool:
    """Acquire the kernel lock of a file; False if another process holds it."""
    if sys.platform == "win32":
        import msvcrt

        # Far beyond the content, because no other process can read a locked byte.
        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without lock support
        return True
    return True


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _read(file: IO[bytes]) -> Owner | None:
    """Return the owner named in a lock file; None if it is empty or incomplete."""
    file.seek(0)
    found = run_files.parse(file.read(_MAX_BYTES) or b"")
    if not run_files.is_owner(found):
        return None
    return Owner(found["host"], found["process"], found["since"])


def _write(file: IO[bytes], owner: Owner) -> None:
    file.seek(0)
    file.truncate()
    file.write(json.dumps(asdict(owner)).encode())


def _beat(file: IO[bytes], path: Path, stop: threading.Event) -> None:
    # The open file, not a later one of the same name.
    target = file.fileno() if os.utime in os.supports_fd else path
    while not stop.wait(_HEARTBEAT):
        with contextlib.suppress(OSError):
            os.utime(target)


def _is_alive(path: Path) -> bool:
    """Return whether the owner, on another machine, has a recent heartbeat."""
    # All machines share the clock of the file system.
    probe = path.with_name(f".{NAME}.{os.getpid()}.part")
    probe.unlink(missing_ok=True)
    try:
        with probe.open("xb") as file:
            now = os.fstat(file.fileno()).st_mtime
        return now - path.stat().st_mtime < _DEAD_AFTER
    finally:
        probe.unlink(missing_ok=True)


def _in_use(path: Path, owner: Owner | None, here: str) -> str:
    problem = f"run directory {path.parent} is in use by {owner or 'another process'}"
    if owner and owner.host != here:
        return (
            f"{problem}; if that process has ended, try again {_DEAD_AFTER:.0f} seconds after its "
            "last heartbeat"
        )
    return f"{problem}; stop that process or wait until it ends"
