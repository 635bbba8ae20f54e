"""New directories for runs and sweeps: never in the place of something that exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from rumcli.errors import ConfigError

LOCK = "lock"  # the file of `training.lock`

_CREATED_BY = {"config.yaml": "rum train", "sweep.yaml": "rum sweep"}
_UNFINISHED = re.compile(r"\..+\.part")  # of `atomic_io.replacing` and of a lock


def is_unbegun(path: Path, described_by: Sequence[str]) -> bool:
    """Tell whether a directory has nothing but the leftovers of a process that was creating it.

    Such a process locks the directory first, so that a description counts as its own only beside
    the lock.

    Args:
        path: Directory.
        described_by: Names of the files that describe it, in the order in which they are written;
            with the last one the directory is begun.

    Raises:
        OSError: If it can't be read.
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
        described_by: As for `is_unbegun`; a directory that is not begun may be there.

    Raises:
        ConfigError: If a file, or a directory with something in it, is there.
    """
    if not exists(path):
        return
    if not path.is_dir():
        raise ConfigError(f"--out {path}: a file of that name exists; expected a new folder")
    try:
        is_free = is_unbegun(path, described_by)
    except FileNotFoundError:  # another process has just removed it
        return
    if not is_free:
        hint = ""
        for name, command in _CREATED_BY.items():
            if (path / name).exists():
                hint = f", or '{command} --resume {shlex.quote(str(path))}' to go on with it"
        raise ConfigError(f"--out {path}: it exists and is not empty; choose another place{hint}")


def check_own(path: Path, owner: str) -> None:
    """Check that a directory inside another one is not a link to somewhere else.

    Args:
        path: Directory, which may be missing.
        owner: Noun for the error message: who keeps the directory.

    Raises:
        ConfigError: If it is a link.
    """
    if path.is_symlink():
        raise ConfigError(f"{path} is a link; {owner} in its own folder")


def exists(path: Path) -> bool:
    """Tell whether something is at `path`.

    Raises:
        ConfigError: If that can't be found out.
    """
    try:
        return path.exists()
    except OSError as error:  # such as a name that is too long, or a folder that can't be entered
        raise ConfigError(f"can't use {path}: {error.strerror or error}") from error
