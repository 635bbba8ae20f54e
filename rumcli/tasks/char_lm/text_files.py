"""Text files as bytes: discovery in a directory, and reading, plain or gzip-compressed.

Nothing is decoded: a text in any encoding is a sequence of bytes.
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np

from rumcli.data.splits import WORDS
from rumcli.errors import ConfigError

_LARGEST_UNPACKED = 4 * 2**30
_CHUNK = 2**20
# Reading these would silently train on the compressed bytes.
_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".bz2", ".xz", ".zst", ".7z")


def find_splits(folder: Path) -> dict[str, Path]:
    """Find the three files of a text in a directory, by the words in their names.

    Args:
        folder: Directory with one file per split. A word of `splits.WORDS` in the name identifies
            the split, as in `ptb.train.txt`, `wiki.valid.tokens` or `dev.raw.gz`. Other files,
            hidden files and subdirectories are ignored.

    Returns:
        The file of each of `"train"`, `"validation"`, `"test"`.

    Raises:
        ConfigError: If a split has no file, or several.
        OSError: If the directory is unreadable.
    """
    names = sorted(
        path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )
    candidates = {
        split: [name for name in names if _words_of(name) & set(words)]
        for split, words in WORDS.items()
    }
    _check_one_each(folder, candidates)
    return {split: folder / found[0] for split, found in candidates.items()}


def read(path: Path) -> np.ndarray:
    """Read the bytes of a file, decompressed if its name ends in `.gz`.

    Args:
        path: File to read.

    Returns:
        `[N]` uint8, read-only.

    Raises:
        ConfigError: If the file is an archive, is damaged, or decompresses to more than 4 GiB.
        OSError: If the file is unreadable.
    """
    name = path.name.lower()
    if name.endswith(_PACKED):
        raise ConfigError(f"{path} is packed; unpack it first (only plain files and .gz are read)")
    text = _gunzip(path) if name.endswith(".gz") else np.fromfile(path, dtype=np.uint8)
    text.flags.writeable = False
    return text


def _words_of(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def _check_one_each(folder: Path, candidates: dict[str, list[str]]) -> None:
    missing = [split for split, found in candidates.items() if not found]
    if missing:
        words = "; ".join(f"{split}: {', '.join(WORDS[split])}" for split in missing)
        example = " and ".join(f"{WORDS[split][0]}.txt" for split in missing)
        raise ConfigError(
            f"{folder} has no {' or '.join(missing)} text; expected {example}, or any name that "
            f"has one of these as a word ({words}), as in wiki.{WORDS[missing[0]][0]}.tokens"
        )
    for split, found in candidates.items():
        if len(found) > 1:
            raise ConfigError(
                f"{folder} has {len(found)} files for the {split} text: {', '.join(found)}; "
                "keep one of them there"
            )
    chosen = [found[0] for found in candidates.values()]
    for name in chosen:
        if chosen.count(name) > 1:
            raise ConfigError(f"{folder}: the name {name} has the words of two splits; rename it")


def _gunzip(path: Path) -> np.ndarray:
    unpacked = bytearray()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK):
                unpacked += chunk
                if len(unpacked) > _LARGEST_UNPACKED:
                    raise ConfigError(
                        f"{path} unpacks to more than {_LARGEST_UNPACKED / 2**30:.3g} GiB; unpack "
                        "it yourself if it is meant to be that large"
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"can't unpack {path}: {error}; is it a whole gzip file?") from error
    return np.frombuffer(unpacked, dtype=np.uint8)
