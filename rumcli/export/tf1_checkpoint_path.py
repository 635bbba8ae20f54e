"""Where a checkpoint of TensorFlow 1 is: files whose names begin alike. No TensorFlow here."""

from __future__ import annotations

from pathlib import Path

from rumcli.errors import ConfigError

_PARTS = (".index", ".meta", ".data-00000-of-00001")


def find(path: Path) -> Path:
    """Return what the names of a checkpoint's files begin with.

    Args:
        path: That, one of the files, or a folder with one checkpoint.

    Raises:
        ConfigError: If there is none, or the folder has several.
    """
    for part in _PARTS:
        if path.name.endswith(part):
            return path.with_name(path.name.removesuffix(part))
    if path.is_dir():
        there = sorted({file.with_suffix("") for file in path.glob("*.index")})
        if len(there) == 1:
            return there[0]
        names = ", ".join(file.name for file in there) or "none"
        raise ConfigError(f"{path} is a folder; expected a checkpoint; in it are: {names}")
    if not path.is_file() and not path.with_name(f"{path.name}.index").is_file():
        raise ConfigError(f"{path}: there is no checkpoint; expected {path.name}.index beside it")
    return path
