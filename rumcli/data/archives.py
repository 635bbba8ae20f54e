"""Files inside a folder, a zip or a tar, one after the other; never extracted, only read.

Nothing that an archive says is used as a path: names serve to recognize files. Links and devices in
it do not count.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from rumcli.errors import ConfigError

_LEVELS = 4  # of folders below the one that was given
_LARGEST_UNPACKED = 2**29
_LARGEST_HEADER = 2**20  # of a file in a tar: its name, and what else is said of it
_MOST_FILES = 100_000  # in an archive; that of bAbI has four hundred
_COMPRESSIONS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"": lambda path: path.open("rb"),
}
_ENCRYPTED = 1
# What the readers raise for files that are cut off, damaged or made to confuse.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    OSError,
    RuntimeError,  # of zipfile: a password is needed, or it contradicts itself
    OverflowError,
    struct.error,
    LookupError,
)


@dataclass(frozen=True)
class Entry:
    """A regular file.

    Args:
        name: The last part of its path.
        place: Where it is, for messages.
        open: Opens it, before the next entry is asked for.
        folder: The name of the folder that it is directly in; empty if the archive names none.
    """

    name: str
    place: str
    open: Callable[[], IO[bytes]]
    folder: str = ""

    def read(self, most: int) -> bytes:
        """Return its first `most` bytes; of a `.gz` file, of what is packed in it.

        Raises:
            ConfigError: If it can't be read, or is damaged.
        """
        with _explained(self.place), self.open() as file:
            if not self.name.endswith(".gz"):
                return file.read(most)
            with gzip.open(file) as unpacked:
                return unpacked.read(most)


def entries(path: Path, called: str | None = None) -> Generator[Entry, None, None]:
    """Go through the regular files of a folder, four levels deep, or of an archive.

    Args:
        path: A folder; or a file, .zip or .tar, the latter plain or packed by gzip, bzip2 or xz,
            whatever its name.
        called: What messages call it, if not by its path.

    Raises:
        ConfigError: If it is neither, can't be read, is damaged, or a tar of more than 512 MiB.
    """
    called = called or str(path)
    with _explained(called):
        if path.is_dir():
            yield from _in_folder(path, _LEVELS)
        elif path.is_file():
            yield from _in_archive(path, called)
        else:
            wrong = f"{called} is neither" if path.exists() else f"there is no {called}; expected"
            raise ConfigError(f"{wrong} a folder {'nor' if path.exists() else 'or'} an archive")


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what readers raise into one line for the user."""
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise ConfigError(f"can't read {error.filename or place}: {error.strerror}") from error
        raise ConfigError(f"{place} is damaged or not whole: {str(error)[:200]}") from error
    except MemoryError as error:
        raise ConfigError(f"{place} takes more memory to unpack than there is") from error


def _in_folder(folder: Path, levels: int) -> Iterator[Entry]:
    inside = folder.resolve().name  # of ".", too
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield Entry(path.name, str(path), lambda path=path: path.open("rb"), inside)
        elif levels > 0 and path.is_dir() and not path.is_symlink():
            yield from _in_folder(path, levels - 1)


def _in_archive(path: Path, called: str) -> Iterator[Entry]:
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"PK"):
        yield from _in_zip(path, called)
        return
    unpack = next(open_ for start, open_ in _COMPRESSIONS.items() if magic.startswith(start))
    with contextlib.ExitStack() as stack:
        packed = stack.enter_context(unpack(path))
        # As a stream: all that it unpacks to is counted, headers included, and nothing read twice.
        stream: Any = _Bounded(packed, called)
        try:
            archive = stack.enter_context(
                tarfile.open(fileobj=stream, mode="r|", tarinfo=_bounded_headers(called))
            )
        except tarfile.ReadError as error:
            raise ConfigError(
                f"{called} is no archive, or damaged ({error}); expected a folder, or .zip, .tar, "
                ".tar.gz, .tar.bz2, .tar.xz"
            ) from error
        yield from _in_tar(archive, called)


def _in_zip(path: Path, called: str) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_count(len(members), called)
        for info in members:
            folder, name = _last_parts(info.filename)  # the name of a folder is empty
            kind = stat.S_IFMT(info.external_attr >> 16)
            if not name or kind not in (0, stat.S_IFREG):  # 0: not made on POSIX
                continue
            if info.flag_bits & _ENCRYPTED:
                raise ConfigError(f"{called} is encrypted; unpack it, and give the folder")
            place = f"{called}: {info.filename}"
            yield Entry(name, place, lambda info=info: archive.open(info), folder)


def _in_tar(archive: tarfile.TarFile, called: str) -> Iterator[Entry]:
    count = 0
    while (member := archive.next()) is not None:
        archive.members.clear()  # else they would all be kept
        count += 1
        _check_count(count, called)
        if member.isreg():
            folder, name = _last_parts(member.name)
            yield Entry(
                name,
                f"{called}: {member.name}",
                lambda member=member: cast(IO[bytes], archive.extractfile(member)),
                folder,
            )


def _check_count(count: int, called: str) -> None:
    if count > _MOST_FILES:
        raise ConfigError(f"{called} has more than {_MOST_FILES:,} files; give the folder you need")


_LONG = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def _bounded_headers(called: str) -> type[tarfile.TarInfo]:
    """Make the class of headers of a tar that are refused where they ask for too much."""

    class Header(tarfile.TarInfo):
        # What tarfile has for subclasses to decide how a member is read.
        def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
            if self.type in _LONG and self.size > _LARGEST_HEADER:
                raise tarfile.ReadError("a header is too long")
            found = super()._proc_member(archive)  # type: ignore[misc]
            # tarfile would go there in small steps, also beyond the end of the file: for years.
            if archive.offset > _LARGEST_UNPACKED:
                raise _too_much(called)
            return found

    return Header


class _Bounded:
    """A file to read from that ends with an error if there is too much in it."""

    def __init__(self, file: IO[bytes], called: str) -> None:
        self._file = file
        self._called = called
        self._left = _LARGEST_UNPACKED

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_much(self._called)
        return data


def _too_much(called: str) -> ConfigError:
    return ConfigError(
        f"{called} unpacks to more than {_LARGEST_UNPACKED // 2**20} MiB; unpack what you need of "
        "it, and give the folder"
    )


def _last_parts(name: str) -> tuple[str, str]:
    """Return the last two parts of a path: the folder, empty if there is none, and the file."""
    *folders, last = f"/{name}".replace("\\", "/").split("/")
    return folders[-1] if folders[-1] != "." else "", last
