"""Text corpus for character models: the bytes of three splits, and their vocabulary.

Files are found in a directory, and read plain or gzip-compressed. Nothing is decoded: a text in any
encoding is a sequence of bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rumcli.data.splits import SPLITS, WORDS
from rumcli.errors import ConfigError

_LARGEST_UNPACKED = 4 * 2**30
_CHUNK = 2**20
# Reading these would silently train on the compressed bytes.
_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".bz2", ".xz", ".zst", ".7z")

_SHORTEST = 2  # one input byte and one target byte
_PER_CENT = {"train": 90, "validation": 5}  # the remainder is the test split
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def find_splits(directory: Path) -> dict[str, Path]:
    """Find the three files of a text in a directory, by the words in their names.

    Args:
        directory: Directory with one file per split. A word of `splits.WORDS` in the name
            identifies the split, as in `ptb.train.txt`, `wiki.valid.tokens` or `dev.raw.gz`. Other
            files, hidden files and subdirectories are ignored.

    Returns:
        The file of each of `"train"`, `"validation"`, `"test"`.

    Raises:
        ConfigError: If a split has no file, or several.
        OSError: If the directory is unreadable.
    """
    names = sorted(
        path.name
        for path in directory.iterdir()
        if path.is_file() and not path.name.startswith(".")
    )
    candidates = {
        split: [name for name in names if _words_of(name) & set(words)]
        for split, words in WORDS.items()
    }
    _check_one_each(directory, candidates)
    return {split: directory / matches[0] for split, matches in candidates.items()}


def read_text_file(path: Path) -> np.ndarray:
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
        raise ConfigError(
            f"{path} is an archive or compressed; unpack it first (only plain files and .gz files "
            "are read)"
        )
    text = _gunzip(path) if name.endswith(".gz") else np.fromfile(path, dtype=np.uint8)
    text.flags.writeable = False
    return text


def _words_of(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower()))


def _check_one_each(directory: Path, candidates: dict[str, list[str]]) -> None:
    missing = [split for split, matches in candidates.items() if not matches]
    if missing:
        words = "; ".join(f"{split}: {', '.join(WORDS[split])}" for split in missing)
        example = " and ".join(f"{WORDS[split][0]}.txt" for split in missing)
        raise ConfigError(
            f"{directory} has no {' or '.join(missing)} text; expected {example}, or any name that "
            f"has one of these as a word ({words}), as in wiki.{WORDS[missing[0]][0]}.tokens"
        )
    for split, matches in candidates.items():
        if len(matches) > 1:
            raise ConfigError(
                f"{directory} has {len(matches)} files for the {split} text: {', '.join(matches)}; "
                "keep only one of them"
            )
    chosen = [matches[0] for matches in candidates.values()]
    for name in chosen:
        if chosen.count(name) > 1:
            raise ConfigError(
                f"{directory}: the name {name} contains the words of two splits; rename the file"
            )


def _gunzip(path: Path) -> np.ndarray:
    unpacked = bytearray()
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK):
                unpacked += chunk
                if len(unpacked) > _LARGEST_UNPACKED:
                    raise ConfigError(
                        f"{path} unpacks to more than {_LARGEST_UNPACKED / 2**30:.3g} GiB; unpack "
                        "the file yourself if this size is correct"
                    )
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"can't unpack {path}: {error}; expected a complete gzip file") from error
    return np.frombuffer(unpacked, dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Corpus:
    """The bytes of the three splits of a text.

    Args:
        source: Source as given by the user, for messages.
        train: Training text, `[N]` uint8.
        validation: Validation text, `[M]` uint8.
        test: Test text, `[K]` uint8.
    """

    source: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def split(self, name: str) -> np.ndarray:
        """Return the bytes of a split.

        Args:
            name: `"train"`, `"validation"` or `"test"`.

        Raises:
            ValueError: If there is no such split.
        """
        if name not in SPLITS:
            raise ValueError(f"unknown split {name!r}; splits: {', '.join(SPLITS)}")
        return getattr(self, name)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a split's bytes, in hexadecimal."""
        return hashlib.sha256(self.split(name).data).hexdigest()


def read(path: Path) -> Corpus:
    """Read a corpus from a directory with one file per split, or from a single file.

    Args:
        path: Directory as described in `corpus.find_splits`, or a file. A single file is
            split by bytes: 90 % training, 5 % validation, 5 % test.

    Returns:
        The corpus.

    Raises:
        ConfigError: If `path` does not exist or is unreadable, or a split has fewer than two
            bytes.
    """
    try:
        if path.is_dir():
            return _read_directory(path)
        if path.is_file():
            return _read_file(path)
        exists = path.exists()
    except OSError as error:
        raise ConfigError(
            f"can't read {error.filename or path}: {error.strerror or error}"
        ) from error
    wrong = f"{path} is neither" if exists else f"there is no {path}; expected"
    raise ConfigError(
        f"{wrong} a text file {'nor' if exists else 'or'} a directory with train, "
        "valid and test files"
    )


def _read_directory(directory: Path) -> Corpus:
    paths = find_splits(directory)
    texts = {split: read_text_file(path) for split, path in paths.items()}
    for split, text in texts.items():
        if len(text) < _SHORTEST:
            size = "is empty" if len(text) == 0 else "has 1 byte"
            raise ConfigError(f"{paths[split]} {size}; expected at least {_SHORTEST} bytes")
    return Corpus(str(directory), **texts)


def _read_file(path: Path) -> Corpus:
    text = read_text_file(path)
    shortest = -(-_SHORTEST * 100 // _PER_CENT["validation"])
    if len(text) < shortest:
        size = "is empty" if len(text) == 0 else f"has {len(text)} bytes"
        raise ConfigError(
            f"{path} {size}; a single file is split 90/5/5 and needs at least {shortest} bytes"
        )
    first = len(text) * _PER_CENT["train"] // 100
    second = first + len(text) * _PER_CENT["validation"] // 100
    return Corpus(str(path), text[:first], text[first:second], text[second:])


@dataclass(frozen=True)
class CharVocabulary:
    """Vocabulary of a character model.

    Args:
        symbols: Byte values, ascending; the position of a byte is its class.
        has_unknown: Whether one more class, the last, represents all other bytes.
    """

    symbols: tuple[int, ...]
    has_unknown: bool

    @property
    def size(self) -> int:
        """Number of classes."""
        return len(self.symbols) + self.has_unknown

    @classmethod
    def of(cls, text: np.ndarray, min_count: int | None) -> CharVocabulary:
        """Build the vocabulary of a training text.

        Args:
            text: Training text, `[N]` uint8.
            min_count: Minimum frequency k ≥ 1 of a byte; rarer bytes map to the unknown symbol.
                With k = 1, the training text has no unknown symbols. None: no unknown symbol.

        Returns:
            The vocabulary.

        Raises:
            ConfigError: If no byte occurs `min_count` times.
        """
        counts = counts_of(text, 256)
        symbols = np.flatnonzero(counts >= (min_count or 1))
        if len(symbols) == 0:
            raise ConfigError(
                f"no byte of the training text occurs {min_count} times, so all bytes would be "
                f"unknown; expected at most {counts.max()}"
            )
        return cls(tuple(symbols.tolist()), min_count is not None)

    def encode(self, text: np.ndarray, source: str) -> np.ndarray:
        """Encode a text as classes.

        Args:
            text: Bytes, `[N]` uint8.
            source: Name of the text, for error messages.

        Returns:
            Classes, `[N]` int32.

        Raises:
            ConfigError: If a byte has no class.
        """
        table = np.full(256, len(self.symbols) if self.has_unknown else -1, dtype=np.int32)
        table[list(self.symbols)] = np.arange(len(self.symbols))
        classes = np.empty(len(text), dtype=np.int32)
        for part in _parts(len(text)):
            classes[part] = table[text[part]]
            if not self.has_unknown and (classes[part] < 0).any():
                offset = part.start + int(np.argmax(classes[part] < 0))
                raise ConfigError(_unseen(int(text[offset]), offset, source))
        return classes

    def decode(self, classes: Iterable[int]) -> bytes:
        """Decode classes to bytes; the unknown symbol becomes U+FFFD in UTF-8."""
        table = [bytes([symbol]) for symbol in self.symbols]
        if self.has_unknown:
            table.append(_REPLACEMENT)
        return b"".join(table[number] for number in classes)

    def to_json(self) -> dict[str, Any]:
        """Return the vocabulary as JSON types, for `from_json`."""
        return {"symbols": list(self.symbols), "has_unknown": self.has_unknown}

    @classmethod
    def from_json(cls, content: Any) -> CharVocabulary:
        """Create a vocabulary from the output of `to_json`.

        Args:
            content: Parsed JSON.

        Raises:
            ConfigError: If the content is invalid.
        """
        symbols = content.get("symbols") if isinstance(content, dict) else None
        if not (
            isinstance(symbols, list)
            and symbols
            and all(type(symbol) is int and 0 <= symbol < 256 for symbol in symbols)
            and symbols == sorted(set(symbols))
            and set(content) == {"symbols", "has_unknown"}
            and isinstance(content["has_unknown"], bool)
        ):
            raise ConfigError(
                "the vocabulary is invalid; expected 'symbols', an ascending list of numbers from "
                "0 to 255, and 'has_unknown', true or false"
            )
        return cls(tuple(symbols), content["has_unknown"])


def unigram_entropy(classes: np.ndarray, size: int) -> float:
    """Return the unigram entropy of a text, in bits per symbol.

    Args:
        classes: `[N]` integers in [0, `size`), N ≥ 1.
        size: Number of classes.
    """
    counts = counts_of(classes, size)
    shares = counts[counts > 0] / len(classes)
    return float(np.abs(np.sum(shares * np.log2(shares))))  # abs: avoids -0.0 for a single class


def counts_of(values: np.ndarray, size: int) -> np.ndarray:
    """Count the occurrences of each class.

    Args:
        values: `[N]` integers in [0, `size`).
        size: Number of classes.

    Returns:
        `[size]` int64.
    """
    counts = np.zeros(size, dtype=np.int64)
    for part in _parts(len(values)):
        counts += np.bincount(values[part], minlength=size)
    return counts


def _parts(length: int) -> Iterator[slice]:
    for start in range(0, length, _CHUNK):
        yield slice(start, min(start + _CHUNK, length))


def _unseen(byte: int, offset: int, source: str) -> str:
    return (
        f"{source}: the byte {repr(bytes([byte]))[1:]} (0x{byte:02X}) at offset {offset:,} does "
        "not occur in the training text, and the run has no unknown symbol; a new run with "
        "task.min_count=1 reads such bytes as one"
    )
