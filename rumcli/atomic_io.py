"""Atomic and durable writes that never follow a link; all files are written here.

Every write is flushed to disk, with the directory whose entry it creates. So a file that exists
after a power failure has its content. Also portable JSON and file names that are invalid Unicode.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_BINARY = getattr(os, "O_BINARY", 0)  # Windows only
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # does not wait for the other end of a pipe
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# Errors of file systems that can't flush directories.
_UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EACCES: "get permission to write there",
    errno.EPERM: "get permission to write there",
    errno.EROFS: "make that file system writable",
    errno.EIO: "check the disk",
    errno.ELOOP: "remove the link",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}
_SURROGATE = re.compile("[\ud800-\udfff]")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that replaces `path` only if the block succeeds.

    Args:
        path: File to create. An existing file is unchanged until the block ends. An existing link
            is replaced, not followed.

    Raises:
        OSError: If the file can't be written; no partial file is left.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.unlink(missing_ok=True)
        with aside.open("xb") as file:  # fails if another process has created a link
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise
    sync_directory(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove the partial files of processes that were killed while writing.

    Args:
        folder: Directory in which no process is writing; it may be missing.
    """
    for path in folder.glob(".*.part"):
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_any(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or directory that replaces `path` if the block succeeds.

    Args:
        path: File or directory to create; an existing one is unchanged until the block ends. The
            temporary path has the same name and suffix.

    Raises:
        OSError: If it can't be written; no partial file is left.
    """
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}.", suffix=".part", ignore_cleanup_errors=True
    ) as folder:
        aside = Path(folder) / path.name
        yield aside
        for file in [aside, *aside.rglob("*")]:
            if file.is_dir():
                sync_directory(file)
            elif file.is_file():
                with file.open("rb+") as opened:
                    os.fsync(opened.fileno())
        if path.is_dir():  # a directory can't be replaced atomically: move the old one away first
            before = path.rename(Path(folder) / f"{path.name}.before")
            try:
                aside.rename(path)
            except OSError:
                before.rename(path)
                raise
        else:
            aside.replace(path)
        sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8 atomically."""
    with replacing(path) as file:
        file.write(text.encode())


def append(path: Path, content: bytes) -> None:
    """Append to a file, which is created if it is missing, and flush it to disk.

    Args:
        path: File to extend. A symbolic link is replaced by a new file, and a file with several
            hard links by a copy, so that the target of a link is never changed.
        content: Bytes to append.

    Raises:
        OSError: If the file can't be written, or is not a regular file.
    """
    if path.is_symlink():
        path.unlink()
    elif path.is_file() and path.stat().st_nlink > 1:
        with path.open("rb") as old, replacing(path) as new:
            new.write(old.read())
    is_new = not path.exists()
    with os.fdopen(open_own(path, os.O_WRONLY | os.O_APPEND), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        sync_directory(path.parent)


def open_own(path: Path, flags: int) -> int:
    """Open a regular file for writing without following links; create it if it is missing.

    Args:
        path: File to open.
        flags: Access mode and other flags of `os.open`.

    Returns:
        File descriptor.

    Raises:
        OSError: If the file can't be opened, is not a regular file, or is a link.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "Is a link", str(path))
    # Also detects a link or pipe that was created after the first check.
    flags |= os.O_CREAT | _NO_LINK | _NO_WAITING | _BINARY
    descriptor = os.open(path, flags, 0o666)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink <= 1:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise OSError(errno.ELOOP, "Is a link: the file has a second name", str(path))
    raise OSError(errno.EINVAL, "Not a regular file", str(path))


def make_directory(path: Path, exist_ok: bool = False) -> None:
    """Create a directory and its missing parents.

    Args:
        path: Directory to create.
        exist_ok: Whether to accept an existing directory.

    Raises:
        OSError: If the directory can't be created.
    """
    if path.parent != path and not path.parent.exists():
        make_directory(path.parent, exist_ok=True)
    path.mkdir(exist_ok=exist_ok)
    sync_directory(path.parent)


def remove(path: Path) -> None:
    """Remove a file if it exists."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush a directory to disk, so that new names and renames in it survive a power failure.

    Args:
        path: Directory to flush.

    Raises:
        OSError: If the disk fails.
    """
    if not hasattr(os, "O_DIRECTORY"):  # Windows can't open directories
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # a directory may be writable but not readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def remedy(error: OSError) -> str:
    """Return the remedy for a write error by its cause; empty for other causes."""
    return _REMEDIES.get(error.errno or 0, "")


def cannot_write(place: Path, error: OSError) -> str:
    """Return the error message for a failed write to `place`, with its cause and remedy."""
    hint = remedy(error)
    return f"can't write to {place}: {error.strerror or error}{hint and '; '}{hint}"


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading; reject files that block the reader, such as pipes.

    Args:
        path: File to open.

    Raises:
        OSError: If the file can't be opened, or is not a regular file.
    """
    # The type is checked on the open file, because the path may be replaced at any time.
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file.

    Args:
        path: File to read.
        most: Largest allowed size, in bytes.

    Raises:
        OSError: If the file can't be read, is not a regular file, or is larger.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"More than {most:,} bytes", str(path))
    return content


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON that every parser accepts.

    NaN and infinities, which JSON lacks, become null. Strings are converted by `readable`.

    Args:
        content: Value to write.
        indent: Number of spaces per level; None for a single line.
    """
    return json.dumps(_standard(content), indent=indent, allow_nan=False)


def _standard(content: Any) -> Any:
    if isinstance(content, dict):
        return {_standard(key): _standard(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_standard(value) for value in content]
    if isinstance(content, str):
        return readable(content)
    return None if isinstance(content, float) and not math.isfinite(content) else content


def readable(text: str) -> str:
    r"""Return text as valid Unicode that can be printed, drawn or written to JSON.

    Python represents bytes of a file name that are invalid in the system's encoding as lone
    surrogates (PEP 383), which most other programs reject. Each becomes an escape such as `\xff`,
    which bash accepts in `$'…'`. A surrogate that represents no byte becomes `\ud800`.

    Args:
        text: Text that may contain lone surrogates.
    """
    return _SURROGATE.sub(lambda match: _escaped(match[0]), text)


def _escaped(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[Path]:
    """Yield a path to a directory for libraries that accept only valid Unicode.

    Args:
        folder: Existing directory.

    Yields:
        The same path; or, if it has invalid bytes, the path of a temporary link to the directory.
    """
    if _SURROGATE.search(str(folder.absolute())) is None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rum-", ignore_cleanup_errors=True) as place:
        link = Path(place) / "folder"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link
