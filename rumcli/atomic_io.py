"""The one place that writes files: whole or not at all, durable, and never through a link.

Every write is flushed to the disk, and so is the directory whose entry it creates: a file that
exists after a power cut has its content. Also JSON that any reader accepts, and names that are not
valid Unicode.
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

_BINARY = getattr(os, "O_BINARY", 0)  # only Windows has it
_NO_WAITING = getattr(os, "O_NONBLOCK", 0)  # for the other end of a pipe
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
# Of a file system that can't flush directories.
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
    """Open a file to write that replaces `path` only if the block succeeds.

    Args:
        path: File to create; an existing file is unchanged until the end, an existing link is
            replaced, not followed.

    Raises:
        OSError: If it can't be written; nothing is left behind then.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.unlink(missing_ok=True)
        with aside.open("xb") as file:  # never through a link that someone else has put there
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
    """Remove the unfinished files of processes that were killed while they wrote.

    Args:
        folder: Directory in which no process writes now; it may be missing.
    """
    for path in folder.glob(".*.part"):
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_any(path: Path) -> Iterator[Path]:
    """Yield a path aside, for a file or a directory that replaces `path` in the end.

    Args:
        path: Where it shall be; what is there is unchanged until the end. The path aside has the
            same name, and so the same suffix.

    Raises:
        OSError: If it can't be written; nothing is left behind then.
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
        if path.is_dir():  # a directory can't be replaced in one step: the old one goes aside first
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
    """Write a text file in UTF-8, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, which is created if it is missing, and flush it to the disk.

    Args:
        path: File. A symbolic link is replaced by a new file, and a file with a second name
            (a hard link) by a copy: nothing is written to what the link names.
        content: Bytes to add.

    Raises:
        OSError: If it can't be written, or is not a regular file.
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
    """Open a regular file to write, never through a link; create it if it is missing.

    Args:
        path: File.
        flags: Access mode and more, as for `os.open`.

    Returns:
        The file descriptor.

    Raises:
        OSError: If it can't be opened, is not a regular file, or is a link.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "Is a link", str(path))
    # A link or pipe that is put there only now is noticed, too.
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
    """Create a directory, and its parents if they are missing.

    Args:
        path: Directory to create.
        exist_ok: Whether it may exist already.

    Raises:
        OSError: If it can't be created.
    """
    if path.parent != path and not path.parent.exists():
        make_directory(path.parent, exist_ok=True)
    path.mkdir(exist_ok=exist_ok)
    sync_directory(path.parent)


def remove(path: Path) -> None:
    """Remove a file, or do nothing if it is missing."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Flush a directory to the disk, so that new names and renames in it survive a power cut.

    Raises:
        OSError: If the disk fails.
    """
    if not hasattr(os, "O_DIRECTORY"):  # Windows can't open directories
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:  # it may be writable without being readable
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


def remedy(error: OSError) -> str:
    """Return what to do about an error of writing, by its cause; empty if that is not known."""
    return _REMEDIES.get(error.errno or 0, "")


def cannot_write(place: Path, error: OSError) -> str:
    """Return the line that says why nothing can be written to `place`, and what to do."""
    hint = remedy(error)
    return f"can't write to {place}: {error.strerror or error}{hint and '; '}{hint}"


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file to read; reject what would block the reader, such as a pipe.

    Raises:
        OSError: If it can't be opened, or is not a regular file.
    """
    # The type is checked once it is open: by then nobody can put another file in its place.
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file.

    Args:
        path: File.
        most: Largest allowed size, in bytes.

    Raises:
        OSError: If it can't be read, is not a regular file, or is larger.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"More than {most:,} bytes", str(path))
    return content


def to_json(content: Any, indent: int | None = None) -> str:
    """Write JSON that every reader takes.

    NaN and infinities, which JSON does not have, become null; text is written as `readable`.
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
    r"""Return text as valid Unicode, to be printed, drawn, or put into JSON.

    Python holds the bytes of a file's name that are invalid in the system's encoding as lone
    surrogates, which most other programs reject (PEP 383). Each becomes `\xff`, four characters
    that bash takes back in `$'…'`; a surrogate that stands for no byte becomes `\ud800`.
    """
    return _SURROGATE.sub(lambda match: _escaped(match[0]), text)


def _escaped(surrogate: str) -> str:
    code = ord(surrogate)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


@contextlib.contextmanager
def reachable(folder: Path) -> Iterator[Path]:
    """Yield a path to a folder for libraries that take only names that are valid Unicode.

    Args:
        folder: An existing folder.

    Yields:
        The same path; or, if it has bytes that are not valid, that of a temporary link to it.
    """
    if _SURROGATE.search(str(folder.absolute())) is None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="rum-", ignore_cleanup_errors=True) as place:
        link = Path(place) / "folder"
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield link
