"""The file of a picture, as several commands take it."""

from __future__ import annotations

from pathlib import Path

from rumcli.errors import ConfigError
from rumcli.reporting import console

KINDS = ("png", "svg", "pdf")


def check(flag: str, path: Path, force: bool) -> str:
    """Return the format of a picture; what is wrong with it is told before all the work.

    Args:
        flag: The option that names the picture.
        path: The picture to write.
        force: Whether to replace a file that exists.

    Raises:
        ConfigError: If its name does not end in a known format, or it can't be written there.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in KINDS:
        raise ConfigError(f"{flag} {path}: expected a name that ends in .{', .'.join(KINDS)}")
    console.check_new_file(path, force)
    return kind
