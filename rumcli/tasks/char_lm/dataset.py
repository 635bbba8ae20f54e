"""Character dataset of a run: encoded splits, their batches, and the metadata of the run.

Independent of Keras, so that data errors are reported before the slow import.
`rumcli.training.dataset_binding` stores the metadata in the run directory.

Batches are parallel streams and windows of a text, for truncated backpropagation through time.
Training drops the remainder that fills no window; evaluation covers every character. Nothing here
is random.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from pydantic import ValidationError

from rumcli import errors
from rumcli.config import RunConfig, Split
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm import penn_treebank
from rumcli.tasks.char_lm.config import CharactersConfig
from rumcli.tasks.char_lm.corpus import CharVocabulary, Corpus
from rumcli.tasks.dataset_metadata import CharMetadata


@dataclass(frozen=True, eq=False)
class BPTTWindows:
    """Windows of L steps over a text that is divided into S parallel streams.

    Window n + 1 of a stream continues where window n ends, so that the recurrent state can be
    carried over. The target of each character is its successor.

    Args:
        text: Classes, `[N]` int32.
        streams: Number of streams, S ≥ 1; the batch size.
        length: Time steps per window, L ≥ 1.
    """

    text: np.ndarray
    streams: int
    length: int

    @property
    def windows_per_epoch(self) -> int:
        """Number of training windows per epoch, at least 1.

        Raises:
            ConfigError: If the text does not fill one window of every stream.
        """
        windows = self._training_targets // self.length
        if windows < 1:
            needed = self.streams * self.length + 1
            raise ConfigError(
                f"the training text has {len(self.text):,} characters; expected at least "
                f"batch_size × length + 1 = {needed:,}: lower train.batch_size ({self.streams}) "
                f"or task.bptt_steps ({self.length})"
            )
        return windows

    def training_window(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one training window of every stream.

        Stream s begins at s · ⌊(N − 1)/S⌋.

        Args:
            number: Index of the window; wraps around after the last one.

        Returns:
            Inputs and targets, `[S, L]` int32.

        Raises:
            ConfigError: If the text does not fill one window of every stream.
        """
        first = number % self.windows_per_epoch * self.length
        starts = np.arange(self.streams) * self._training_targets + first
        block = self.text[starts[:, None] + np.arange(self.length + 1)].astype(np.int32, copy=False)
        return block[:, :-1], block[:, 1:]

    @property
    def evaluation_windows(self) -> int:
        """Number of windows needed to score every character but the first.

        Raises:
            ConfigError: If the text has fewer than two characters.
        """
        if len(self.text) < 2:
            raise ConfigError(f"the text has {len(self.text)} characters; expected at least 2")
        return -(-self._evaluation_targets // self.length)

    def evaluation_window(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return one evaluation window of every stream; no character is dropped.

        Stream s has ⌈(N − 1)/S⌉ targets, starting at s · ⌈(N − 1)/S⌉; the last streams may have
        fewer or none. Positions past the end of a stream are class 0 with weight 0.

        Args:
            number: Index of the window, in [0, `evaluation_windows`).

        Returns:
            Inputs and targets, `[S, L]` int32, and weights, `[S, L]` float32, each 0 or 1.

        Raises:
            IndexError: If there is no such window.
        """
        if not 0 <= number < self.evaluation_windows:
            raise IndexError(f"window {number} of {self.evaluation_windows}")
        steps = number * self.length + np.arange(self.length)
        positions = self.evaluation_positions(number)
        is_target = (steps < self._evaluation_targets) & (positions < len(self.text) - 1)
        positions = np.where(is_target, positions, 0)
        inputs, targets = (
            np.where(is_target, self.text[positions + ahead], 0).astype(np.int32, copy=False)
            for ahead in (0, 1)
        )
        return inputs, targets, is_target.astype(np.float32)

    def evaluation_positions(self, number: int) -> np.ndarray:
        """Return the position in the text of each input of an evaluation window, `[S, L]`."""
        steps = number * self.length + np.arange(self.length)
        return np.arange(self.streams)[:, None] * self._evaluation_targets + steps

    @property
    def _training_targets(self) -> int:
        """Number of training targets per stream; the remainder is dropped."""
        return (len(self.text) - 1) // self.streams

    @property
    def _evaluation_targets(self) -> int:
        """Number of evaluation targets per stream; the last streams may have fewer."""
        return -(-(len(self.text) - 1) // self.streams)


@dataclass(frozen=True)
class Content:
    """Fingerprint of a split: its size in bytes and its SHA-256 in hexadecimal."""

    size: int
    sha256: str

    @classmethod
    def of(cls, corpus: Corpus, split: str) -> Content:
        """Compute the fingerprint of a split."""
        return cls(len(corpus.split(split)), corpus.digest(split))


@dataclass(frozen=True, eq=False)
class CharDataset:
    """A text, encoded for a character model.

    Args:
        source: Source of the text.
        vocabulary: Vocabulary of the training text.
        unigram_entropy: Entropy of the training text, in bits per character.
        contents: Fingerprint of each split.
        classes: Classes of the loaded splits, `[N]` int32 each.
    """

    source: str
    vocabulary: CharVocabulary
    unigram_entropy: float
    contents: Mapping[str, Content]
    classes: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, corpus: Corpus, min_count: int | str | None) -> CharDataset:
        """Create the dataset of a new run.

        Args:
            corpus: Bytes of all splits.
            min_count: Minimum frequency, see `CharVocabulary.of`. `"auto"` means 1, except for
                Penn Treebank: None, because the published scores have no unknown symbol.

        Raises:
            ConfigError: If the training text consists of a single symbol. Also if another split
                has a symbol that is missing in the training text, and there is no unknown symbol.
        """
        contents = {split: Content.of(corpus, split) for split in SPLITS}
        if not isinstance(min_count, int | None):
            min_count = None if is_penn_treebank(contents) else 1
        vocabulary = CharVocabulary.of(corpus.train, min_count)
        classes = _encode(vocabulary, corpus, SPLITS)
        entropy = corpora.unigram_entropy(classes["train"], vocabulary.size)
        if entropy == 0:
            raise ConfigError(
                f"{corpus.source}: the training text has a single symbol; expected at least two"
            )
        return cls(corpus.source, vocabulary, entropy, contents, classes)

    @property
    def is_penn_treebank(self) -> bool:
        """Whether all three splits are those of Penn Treebank."""
        return is_penn_treebank(self.contents)

    def changed_splits(self, corpus: Corpus, splits: Iterable[str]) -> list[str]:
        """Return the splits whose content differs from that recorded by the run."""
        return [split for split in splits if Content.of(corpus, split) != self.contents[split]]

    def with_splits(self, corpus: Corpus, splits: Iterable[str]) -> CharDataset:
        """Return a copy with splits of `corpus`, encoded with this vocabulary.

        Args:
            corpus: Bytes of all splits.
            splits: Splits to encode.

        Raises:
            ConfigError: If a symbol is not in the vocabulary.
        """
        classes = _encode(self.vocabulary, corpus, splits)
        contents = {**self.contents, **{split: Content.of(corpus, split) for split in classes}}
        return dataclasses.replace(self, source=corpus.source, contents=contents, classes=classes)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the classes as JSON types, for `from_json`."""
        return {
            **self.vocabulary.to_json(),
            "source": self.source,
            "unigram_entropy": self.unigram_entropy,
            "splits": {split: vars(content) for split, content in self.contents.items()},
        }

    @classmethod
    def from_json(cls, content: Any) -> CharDataset:
        """Create a dataset without classes from the output of `to_json`.

        Args:
            content: Parsed JSON.

        Raises:
            ConfigError: If the content is invalid.
        """
        try:
            metadata = CharMetadata.model_validate(content)
        except (ValidationError, RecursionError) as error:
            raise ConfigError("the metadata of the text is invalid") from error
        names = {"symbols", "has_unknown"}
        return cls(
            source=metadata.source,
            vocabulary=CharVocabulary.from_json(metadata.model_dump(include=names)),
            unigram_entropy=metadata.unigram_entropy,
            contents={
                split: Content(**content) for split, content in metadata.splits.model_dump().items()
            },
        )


class CharDatasetLoader:
    """Loader of the text of a character-level run."""

    noun: ClassVar[str] = "text"
    dataset: ClassVar[type] = CharDataset
    num_stand_in_symbols: ClassVar[int | None] = 50  # different bytes in Penn Treebank

    def __init__(self, run: RunConfig) -> None:
        self._run = run
        self._task = cast(CharactersConfig, run.task)
        self.path = self._task.data

    def read(self, data: str | None, split: str | None) -> Corpus:
        """Read all splits of a text."""
        if data is None:
            raise ConfigError(
                f"{errors.option('--data')} is missing; expected a directory with train, valid "
                "and test files, or one file; for Penn Treebank: rum gen-data ptb"
            )
        return corpora.read(Path(data))

    def make(self, data: Corpus) -> CharDataset:
        """Create the dataset of a new run."""
        return CharDataset.of(data, self._task.min_count)

    def restore(self, content: Any) -> CharDataset:
        """Restore the dataset of an earlier run."""
        return CharDataset.from_json(content)

    def check(self, dataset: CharDataset) -> None:
        """Check that the training text, if loaded, has a window for every stream."""
        if Split.TRAIN not in dataset.classes:
            return
        train = dataset.classes[Split.TRAIN]
        windows = BPTTWindows(train, self._run.train.batch_size, self._task.bptt_steps)
        _ = windows.windows_per_epoch  # raises if the text is too short

    def stand_in(self) -> CharDataset:
        """Return a dataset with as many symbols as Penn Treebank has, and without any text."""
        symbols = tuple(range(self.num_stand_in_symbols or 0))
        return CharDataset("", CharVocabulary(symbols, has_unknown=False), 0.0, {})


def is_penn_treebank(contents: Mapping[str, Content]) -> bool:
    """Return whether the splits, given by their fingerprints, are those of Penn Treebank."""
    expected = [Content(file.size, file.sha256) for file in penn_treebank.FILES]
    return [contents[split] for split in SPLITS] == expected


def _encode(
    vocabulary: CharVocabulary, corpus: Corpus, splits: Iterable[str]
) -> dict[str, np.ndarray]:
    return {
        split: vocabulary.encode(corpus.split(split), f"{corpus.source}, {split} text")
        for split in splits
    }
