"""Checks of new directories for runs and sweeps, which never replace existing files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rumcli import errors
from rumcli.errors import ConfigError

LOCK = "lock"  # file of `rumcli.training.lock`

_CREATED_BY = {"config.yaml": "train", "sweep.yaml": "sweep"}
_UNFINISHED = re.compile(r"\..+\.part")  # partial file of `atomic_io.replacing` or of a lock


def is_not_started(path: Path, described_by: Sequence[str]) -> bool:
    """Return whether a directory contains only the files of an interrupted creation.

    A process locks the directory before it writes there. So a description without a lock is not a
    remnant of such a process.

    Args:
        path: Directory to check.
        described_by: Names of the files that describe it, in the order of writing. The directory
            has begun once the last one exists.

    Raises:
        OSError: If the directory can't be read.
    """
    entries = list(path.iterdir())
    names = {entry.name for entry in entries}
    early = described_by[:-1] if LOCK in names else ()
    return all(
        (_UNFINISHED.fullmatch(entry.name) and not entry.is_dir()) or entry.name in (LOCK, *early)
        for entry in entries
    )


def check_free(path: Path, described_by: Sequence[str]) -> None:
    """Check that a new directory may be created at `path`.

    Args:
        path: Directory to create.
        described_by: Names of the files that describe it; see `is_not_started`. Such a directory
            is accepted.

    Raises:
        ConfigError: If `path` is a file or a directory that is not empty.
    """
    if not exists(path):
        return
    where = errors.option("--out", path)
    if not path.is_dir():
        raise ConfigError(f"{where}: a file with this name exists; expected a new directory")
    try:
        is_free = is_not_started(path, described_by)
    except FileNotFoundError:  # another process has just removed it
        return
    if not is_free:
        hint = ""
        for name, command in _CREATED_BY.items():
            if (path / name).exists():
                hint = f", or '{errors.call(command, resume=path)}' to resume it"
        raise ConfigError(f"{where}: it exists and is not empty; choose another path{hint}")


def check_own(path: Path, owner: str) -> None:
    """Check that a subdirectory is not a link to another place.

    Args:
        path: Subdirectory, which may be missing.
        owner: Noun for the owner of the directory in the error message.

    Raises:
        ConfigError: If `path` is a link.
    """
    if path.is_symlink():
        raise ConfigError(f"{path} is a link; {owner} in its own directory")


def exists(path: Path) -> bool:
    """Return whether `path` exists.

    Args:
        path: File or directory.

    Raises:
        ConfigError: If the path can't be checked.
    """
    try:
        return path.exists()
    except OSError as error:  # such as a name that is too long, or a closed directory
        raise ConfigError(f"can't use {path}: {error.strerror or error}") from error
