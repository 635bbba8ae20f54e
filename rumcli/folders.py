"""New folders for runs and sweeps: never in the place of something that is there."""

from __future__ import annotations

import shlex
from pathlib import Path

from rumcli.errors import ConfigError

_MADE_BY = {"config.yaml": "rum train", "sweep.yaml": "rum sweep"}


def make(path: Path | None, parent: Path, stem: str) -> Path:
    """Make a new folder, or take an empty one.

    Args:
        path: Where. None: `PARENT/STEM-1`, or the next number that is free.
        parent: Where the numbered ones are.
        stem: What they are called.

    Raises:
        ConfigError: If something is there already.
        OSError: If the place can't be written.
    """
    if path is None:
        return _make_numbered(parent, stem)
    check_free(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_free(path: Path) -> None:
    """Make sure that a new folder may go to `path`.

    Raises:
        ConfigError: If a file, or a folder with something in it, is there.
    """
    if not exists(path):
        return
    if not path.is_dir():
        raise ConfigError(f"--out {path}: a file of that name exists; expected a new folder")
    if any(path.iterdir()):
        hint = ""
        for name, command in _MADE_BY.items():
            if (path / name).exists():
                hint = f", or '{command} --resume {shlex.quote(str(path))}' to go on with it"
        raise ConfigError(f"--out {path}: it exists and is not empty; choose another place{hint}")


def exists(path: Path) -> bool:
    """Tell whether something is at `path`.

    Raises:
        ConfigError: If that can't be found out.
    """
    try:
        return path.exists()
    except OSError as error:  # such as a name that is too long, or a folder that can't be entered
        raise ConfigError(f"can't use {path}: {error.strerror or error}") from error


def _make_numbered(parent: Path, stem: str) -> Path:
    parent.mkdir(exist_ok=True)
    number = 1
    while True:
        path = parent / f"{stem}-{number}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
