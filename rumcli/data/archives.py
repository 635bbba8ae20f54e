"""Reading of files from archives and directories, and downloads; sizes and counts are bounded."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import http.client
import lzma
import stat
import struct
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from rumcli.errors import ConfigError

_LEVELS = 4  # subdirectory levels below the directory
_LARGEST_UNPACKED = 2**29
_LARGEST_HEADER = 2**20  # bytes of a tar member's extended header
_MOST_FILES = 100_000  # per archive; the bAbI archive has four hundred
_COMPRESSIONS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"": lambda path: path.open("rb"),
}
_ENCRYPTED = 1
# Raised by the standard readers for truncated, damaged or malicious files.
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    OSError,
    RuntimeError,  # zipfile: password required, or inconsistent metadata
    OverflowError,
    struct.error,
    LookupError,
)

_SCHEMES = ("http", "https")
_TIMEOUT = 30
_LARGEST = 200 * 10**6
_CHUNK = 2**16


@dataclass(frozen=True)
class Entry:
    """A regular file of a directory or an archive.

    Args:
        name: Base name of the file.
        location: Location of the file, for messages.
        open: Function that opens the file; only valid until the next entry is requested.
        directory: Name of the directory that directly contains the file. Empty if the archive names
            none.
    """

    name: str
    location: str
    open: Callable[[], IO[bytes]]
    directory: str = ""

    def read(self, most: int) -> bytes:
        """Return the first `most` bytes; for a `.gz` file, of its decompressed content.

        Args:
            most: Maximum number of bytes to return.

        Raises:
            ConfigError: If the file is unreadable or damaged.
        """
        with _readable_errors(self.location), self.open() as file:
            if not self.name.endswith(".gz"):
                return file.read(most)
            with gzip.open(file) as unpacked:
                return unpacked.read(most)


def entries(path: Path, label: str | None = None) -> Generator[Entry, None, None]:
    """Iterate over the regular files of a directory, four levels deep, or of an archive.

    Args:
        path: Directory or archive. An archive is a zip, or a tar that is plain or compressed with
            gzip, bzip2 or xz; the file name does not matter.
        label: Name to use in messages. Defaults to the path.

    Yields:
        An `Entry` for each file.

    Raises:
        ConfigError: If `path` is neither, is unreadable or damaged, or is a tar of more than
            512 MiB.
    """
    label = label or str(path)
    with _readable_errors(label):
        if path.is_dir():
            yield from _entries_of_directory(path, _LEVELS)
        elif path.is_file():
            yield from _entries_of_archive(path, label)
        else:
            problem = "is neither" if path.exists() else "does not exist; expected"
            raise ConfigError(
                f"{label} {problem} a directory {'nor' if path.exists() else 'or'} an archive"
            )


def open_file(path: Path) -> IO[bytes]:
    """Open a file for reading; the `open` of its entry."""
    return path.open("rb")


@contextlib.contextmanager
def _readable_errors(location: str) -> Iterator[None]:
    """Convert exceptions of the readers into a one-line `ConfigError`."""
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.strerror:
            raise ConfigError(
                f"can't read {error.filename or location}: {error.strerror}"
            ) from error
        raise ConfigError(f"{location} is damaged or truncated: {str(error)[:200]}") from error
    except MemoryError as error:
        raise ConfigError(f"{location} requires more memory to unpack than is available") from error


def _entries_of_directory(directory: Path, levels: int) -> Iterator[Entry]:
    name = directory.resolve().name  # a name also for "."
    for path in sorted(directory.iterdir()):
        if path.is_file():
            yield Entry(path.name, str(path), functools.partial(open_file, path), name)
        elif levels > 0 and path.is_dir() and not path.is_symlink():
            yield from _entries_of_directory(path, levels - 1)


def _entries_of_archive(path: Path, label: str) -> Iterator[Entry]:
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"PK"):
        yield from _entries_of_zip(path, label)
        return
    unpack = next(open_ for start, open_ in _COMPRESSIONS.items() if magic.startswith(start))
    with contextlib.ExitStack() as stack:
        packed = stack.enter_context(unpack(path))
        # Read as a stream, so that every unpacked byte counts, headers included, exactly once.
        stream: Any = _Bounded(packed, label)
        try:
            archive = stack.enter_context(
                tarfile.open(fileobj=stream, mode="r|", tarinfo=_bounded_headers(label))
            )
        except tarfile.ReadError as error:
            raise ConfigError(
                f"{label} is not an archive, or is damaged ({error}); expected a directory, "
                "or .zip, .tar, .tar.gz, .tar.bz2, .tar.xz"
            ) from error
        yield from _entries_of_tar(archive, label)


def _entries_of_zip(path: Path, label: str) -> Iterator[Entry]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_count(len(members), label)
        for info in members:
            directory, name = _last_parts(info.filename)  # name is empty for a directory
            kind = stat.S_IFMT(info.external_attr >> 16)
            if not name or kind not in (0, stat.S_IFREG):  # 0: not created on POSIX
                continue
            if info.flag_bits & _ENCRYPTED:
                raise ConfigError(f"{label} is encrypted; unpack it and give the directory")
            location = f"{label}: {info.filename}"
            yield Entry(name, location, functools.partial(archive.open, info), directory)


def _entries_of_tar(archive: tarfile.TarFile, label: str) -> Iterator[Entry]:
    count = 0
    while (member := archive.next()) is not None:
        # tarfile would otherwise accumulate all members.
        archive.members.clear()  # type: ignore[attr-defined]
        count += 1
        _check_count(count, label)
        if member.isreg():
            directory, name = _last_parts(member.name)
            yield Entry(
                name,
                f"{label}: {member.name}",
                functools.partial(_open_member, archive, member),
                directory,
            )


def _open_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(member))


def _check_count(count: int, label: str) -> None:
    if count > _MOST_FILES:
        raise ConfigError(
            f"{label} has more than {_MOST_FILES:,} files; unpack the ones you "
            "need and give their directory"
        )


_LONG = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def _bounded_headers(label: str) -> type[tarfile.TarInfo]:
    """Return a `TarInfo` class that rejects oversized headers and members."""

    class Header(tarfile.TarInfo):
        # tarfile's documented hook for subclasses that customize how members are read.
        def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
            if self.type in _LONG and self.size > _LARGEST_HEADER:
                raise tarfile.ReadError("a header is too long")
            found = super()._proc_member(archive)  # type: ignore[misc]
            # tarfile would seek there in small steps, even past the end of the file: for years.
            if archive.offset > _LARGEST_UNPACKED:
                raise _too_large(label)
            return found

    return Header


class _Bounded:
    """A readable file that raises an error once it exceeds the size limit."""

    def __init__(self, file: IO[bytes], label: str) -> None:
        self._file = file
        self._label = label
        self._left = _LARGEST_UNPACKED

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise _too_large(self._label)
        return data


def _too_large(label: str) -> ConfigError:
    return ConfigError(
        f"{label} unpacks to more than {_LARGEST_UNPACKED // 2**20} MiB; unpack the files you "
        "need and give their directory"
    )


def _last_parts(name: str) -> tuple[str, str]:
    """Return the parent directory's name, empty if there is none, and the base name of a path."""
    *parents, last = f"/{name}".replace("\\", "/").split("/")
    return parents[-1] if parents[-1] != "." else "", last


class NotFoundError(ConfigError):
    """The server has no file at this URL (HTTP 404 or 410)."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        check_scheme(arguments[-1])  # the new URL; urllib also follows redirects to ftp
        return super().redirect_request(*arguments)


def check_scheme(url: str) -> None:
    """Check that a URL uses http or https.

    Args:
        url: URL to check.

    Raises:
        ConfigError: If it has another scheme, or none.
    """
    if url.partition("://")[0].lower() not in _SCHEMES:
        raise ConfigError(f"{url}: expected a URL that begins with http:// or https://")


def download(url: str, path: Path) -> None:
    """Download a file.

    Args:
        url: http or https URL; redirects are followed.
        path: File to write.

    Raises:
        NotFoundError: If the server has no such file.
        ConfigError: If the download fails, is truncated, or exceeds 200 MB.
    """
    check_scheme(url)
    opener = urllib.request.build_opener(_WebRedirects)
    try:
        # Some servers reject urllib's default User-Agent.
        request = urllib.request.Request(url, headers={"User-Agent": "rumcli"})
        with opener.open(request, timeout=_TIMEOUT) as response:
            _save(response, url, path)
    except urllib.error.HTTPError as error:
        kind = NotFoundError if error.code in (404, 410) else ConfigError
        raise kind(f"can't download {url}: the server responded {_one_line(error)}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)  # URLError wraps it
        message = getattr(reason, "strerror", None) or reason
        raise ConfigError(f"can't download {url}: {_one_line(message)}") from error


def _save(response: http.client.HTTPResponse, url: str, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > _LARGEST:
                raise ConfigError(
                    f"{url} has more than {_LARGEST // 10**6} MB; expected a smaller file"
                )
            file.write(chunk)
    if response.length:  # bytes missing according to Content-Length; None without that header
        raise ConfigError(f"can't download {url}: {response.length:,} bytes are missing at its end")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())[:200]  # most of the text comes from the server
