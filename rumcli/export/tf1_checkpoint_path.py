"""Path of a TensorFlow 1 checkpoint: the common prefix of its files. No TensorFlow."""

from __future__ import annotations

from pathlib import Path

from rumcli.errors import ConfigError

_PARTS = (".index", ".meta", ".data-00000-of-00001")


def find(path: Path) -> Path:
    """Return the common prefix of a checkpoint's files.

    Args:
        path: Prefix, one of the files, or directory with a single checkpoint.

    Raises:
        ConfigError: If there is no checkpoint, or the directory has several.
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
