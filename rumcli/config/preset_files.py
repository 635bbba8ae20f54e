"""Names and files of the presets in the package.

A preset is a YAML file with some of the keys of a run configuration.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rumcli import coercion, messages
from rumcli.config import yaml_io
from rumcli.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Return the directory of presets: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "presets"
    return installed if installed.is_dir() else _PACKAGE.parent / "presets"


def names() -> list[str]:
    """Return the names of the presets, in alphabetical order."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def path_of(name: str) -> Path:
    """Return the file of a preset in the package.

    Args:
        name: Name of the preset.

    Raises:
        ConfigError: If there is no such preset.
    """
    name = coercion.name(name, names())
    if name not in names():
        raise ConfigError(messages.unknown("preset", name, names()))
    return folder() / f"{name}.yaml"


def locate(name_or_file: str) -> Path:
    """Return the file of a preset in the package, or the path of any other file.

    Args:
        name_or_file: Name of a preset or path of a file. A string without `.yaml` and `/` is a
            preset name, unless only a file of that name exists.

    Raises:
        ConfigError: If there is no such preset.
    """
    path = Path(name_or_file)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if looks_like_file or (path.is_file() and not is_name(name_or_file)):
        return path
    return path_of(name_or_file)


def is_name(text: str) -> bool:
    """Return whether a string is the name of a preset in the package, ignoring case."""
    return coercion.name(text, names()) in names()


def read(name_or_file: str) -> yaml_io.Document:
    """Read a preset by its name, or any YAML file by its path.

    Args:
        name_or_file: As for `locate`.

    Raises:
        ConfigError: If there is no such preset or file, or it can't be parsed.
    """
    path = locate(name_or_file)
    document = yaml_io.read(path)
    if path.parent != folder():
        return document
    # Messages show its name: the user cannot edit files of the installed package.
    return dataclasses.replace(document, source=f"preset '{path.stem}'")
