"""Validation of the path of a plot, shared by several commands."""

from __future__ import annotations

from pathlib import Path

from rumcli.errors import ConfigError
from rumcli.reporting import console

KINDS = ("png", "svg", "pdf")


def check(flag: str, path: Path, force: bool) -> str:
    """Return the format of a plot file, after checks that need no results.

    Args:
        flag: Option that names the file.
        path: File to write.
        force: Whether to replace an existing file.

    Raises:
        ConfigError: If the suffix is not a supported format, or the file cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise ConfigError(f"{flag} {path}: expected a name that ends in .{', .'.join(KINDS)}")
    console.check_new_file(path, force)
    return kind
