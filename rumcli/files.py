"""Files that are whole or not there: written aside, flushed to the disk, then renamed.

And JSON that every reader takes, and names that are not valid Unicode.
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
_SURROGATE = re.compile("[\ud800-\udfff]")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write that takes the place of `path` only if the block succeeds.

    Args:
        path: Where the file shall be; a file that is there stays as it is until the end.

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


def remove_unfinished(folder: Path) -> None:
    """Remove what processes left in a folder that were killed while they wrote.

    Args:
        folder: Where no process writes now; it may be missing.
    """
    for path in folder.glob(".*.part"):
        if path.is_file() and not path.is_symlink():
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_any(path: Path) -> Iterator[Path]:
    """Yield a place aside, for a file or a folder that takes the place of `path` in the end.

    Args:
        path: Where it shall be; what is there stays as it is until the end. Its name, and so the
            suffix, is that of the place aside.

    Raises:
        OSError: If it can't be written; nothing is left behind then.
    """
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}.", suffix=".part", ignore_cleanup_errors=True
    ) as folder:
        aside = Path(folder) / path.name
        yield aside
        for file in [aside, *aside.rglob("*")]:
            if file.is_file():
                with file.open("rb+") as opened:
                    os.fsync(opened.fileno())
        if path.is_dir():  # a folder can't be replaced in one step: the old one goes aside first
            before = path.rename(Path(folder) / f"{path.name}.before")
            try:
                aside.rename(path)
            except OSError:
                before.rename(path)
                raise
        else:
            aside.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file to read; what would keep the reader waiting, such as a pipe, is refused.

    Raises:
        OSError: If it can't be opened, or is not a regular file.
    """
    # The file is looked at once it is open: by then nobody can put another in its place.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file.

    Args:
        path: The file.
        most: The number of bytes that it may have.

    Raises:
        OSError: If it can't be read, is not a regular file, or has more bytes.
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
