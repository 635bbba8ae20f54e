"""A text for character models: the bytes of its three splits, and the classes they become.

Where the bytes come from on disk is in `text_files`; how they become batches in `bptt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import text_files

_SHORTEST = 2  # one byte to predict from, one to predict
_PER_CENT = {"train": 90, "validation": 5}  # the rest is the test text
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_CHUNK = 2**20  # NumPy makes 64-bit indices of what it looks up; this many at a time


@dataclass(frozen=True, eq=False)
class Corpus:
    """The bytes of the three splits of a text.

    Args:
        source: What the user gave, for messages.
        train: `[N]` uint8, as are the others.
        validation: Of its own length.
        test: Of its own length.
    """

    source: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def split(self, name: str) -> np.ndarray:
        """Return the bytes of `"train"`, `"validation"` or `"test"`.

        Raises:
            ValueError: If there is no such split.
        """
        if name not in SPLITS:
            raise ValueError(f"unknown split {name!r}; splits: {', '.join(SPLITS)}")
        return getattr(self, name)

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a split's bytes, in hexadecimal digits."""
        return hashlib.sha256(self.split(name)).hexdigest()


def read(path: Path) -> Corpus:
    """Read a text: a folder with a file for each split, or one file.

    Args:
        path: A folder as `text_files.find_splits` describes it; or a file, of which the first 90 %
            of the bytes are for training, the next 5 % for validation, the rest for the test.

    Raises:
        ConfigError: If there is none, it can't be read, or a split has fewer than two bytes.
    """
    try:
        if path.is_dir():
            return _read_folder(path)
        if path.is_file():
            return _read_file(path)
        exists = path.exists()
    except OSError as error:
        raise ConfigError(
            f"can't read {error.filename or path}: {error.strerror or error}"
        ) from error
    wrong = f"{path} is neither" if exists else f"there is no {path}; expected"
    raise ConfigError(f"{wrong} a text file {'nor' if exists else 'or'} a folder with three")


def _read_folder(folder: Path) -> Corpus:
    paths = text_files.find_splits(folder)
    texts = {split: text_files.read(path) for split, path in paths.items()}
    for split, text in texts.items():
        if len(text) < _SHORTEST:
            size = "is empty" if len(text) == 0 else "has 1 byte"
            raise ConfigError(f"{paths[split]} {size}; expected at least {_SHORTEST} bytes")
    return Corpus(str(folder), **texts)


def _read_file(path: Path) -> Corpus:
    text = text_files.read(path)
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
    """The classes of a character model.

    Args:
        symbols: Values of bytes, ascending; a byte's class is its position here.
        has_unknown: Whether there is one class more, the last, for all other bytes.
    """

    symbols: tuple[int, ...]
    has_unknown: bool

    @property
    def size(self) -> int:
        """The number of classes."""
        return len(self.symbols) + self.has_unknown

    @classmethod
    def of(cls, text: np.ndarray, min_count: int | None) -> CharVocabulary:
        """Make the vocabulary of a training text.

        Args:
            text: `[N]` uint8.
            min_count: None: no unknown symbol. k ≥ 1: bytes that occur fewer than k times are
                read as the unknown symbol; with k = 1 it does not occur in the training text.

        Raises:
            ConfigError: If no byte occurs that often.
        """
        counts = counts_of(text, 256)
        symbols = np.flatnonzero(counts >= (min_count or 1))
        if len(symbols) == 0:
            raise ConfigError(
                f"no byte of the training text occurs {min_count} times, so that all would be "
                f"unknown; choose at most {counts.max()}"
            )
        return cls(tuple(symbols.tolist()), min_count is not None)

    def encode(self, text: np.ndarray, source: str) -> np.ndarray:
        """Return the classes of a text.

        Args:
            text: `[N]` uint8.
            source: What the text is called in the message of an error.

        Returns:
            `[N]` int32.

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
        """Return the bytes of classes; the unknown symbol becomes U+FFFD, in UTF-8."""
        table = [bytes([symbol]) for symbol in self.symbols]
        if self.has_unknown:
            table.append(_REPLACEMENT)
        return b"".join(table[number] for number in classes)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes, of JSON's own types."""
        return {"symbols": list(self.symbols), "has_unknown": self.has_unknown}

    @classmethod
    def from_json(cls, content: Any) -> CharVocabulary:
        """Make a vocabulary of what `to_json` gave.

        Raises:
            ConfigError: If it is something else.
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
                "this is no vocabulary; expected 'symbols', an ascending list of numbers from 0 to "
                "255, and 'has_unknown', true or false"
            )
        return cls(tuple(symbols), content["has_unknown"])


def unigram_entropy(classes: np.ndarray, size: int) -> float:
    """Return the entropy of a text under its own frequencies, in bits per symbol.

    Args:
        classes: `[N]`, N ≥ 1, in 0 … size − 1.
        size: Number of classes.
    """
    counts = counts_of(classes, size)
    shares = counts[counts > 0] / len(classes)
    return float(np.abs(np.sum(shares * np.log2(shares))))  # abs: a single class gives 0, not -0


def counts_of(values: np.ndarray, size: int) -> np.ndarray:
    """Return how often each class occurs: `[size]` int64.

    Args:
        values: `[N]` integers in 0 … size − 1.
        size: Number of classes.
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
        "--set task.min_count=1 reads such bytes as one"
    )
