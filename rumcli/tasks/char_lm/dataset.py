"""Character dataset of a run: the encoded splits, and the metadata stored with the run.

Independent of Keras, so that data errors are reported before the slow import.
`rumcli.training.dataset_binding` stores the metadata in the run directory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm import penn_treebank
from rumcli.tasks.char_lm.corpus import CharVocabulary, Corpus
from rumcli.tasks.dataset_metadata import CharMetadata


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
                f"{corpus.source}: the training text has one symbol only; there is nothing to learn"
            )
        return cls(corpus.source, vocabulary, entropy, contents, classes)

    @property
    def is_penn_treebank(self) -> bool:
        """Whether all three splits are those of Penn Treebank."""
        return is_penn_treebank(self.contents)

    def changed(self, corpus: Corpus, splits: Iterable[str]) -> list[str]:
        """Return the splits whose content differs from that recorded by the run."""
        return [split for split in splits if Content.of(corpus, split) != self.contents[split]]

    def reading(self, corpus: Corpus, splits: Iterable[str]) -> CharDataset:
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
            found = CharMetadata.model_validate(content)
        except (ValidationError, RecursionError) as error:
            raise ConfigError("this is not what a run remembers of its text") from error
        names = {"symbols", "has_unknown"}
        return cls(
            source=found.source,
            vocabulary=CharVocabulary.from_json(found.model_dump(include=names)),
            unigram_entropy=found.unigram_entropy,
            contents={
                split: Content(**content) for split, content in found.splits.model_dump().items()
            },
        )


def is_penn_treebank(contents: Mapping[str, Content]) -> bool:
    """Return whether the splits, given by their fingerprints, are those of Penn Treebank."""
    known = [Content(file.size, file.sha256) for file in penn_treebank.FILES]
    return [contents[split] for split in SPLITS] == known


def _encode(
    vocabulary: CharVocabulary, corpus: Corpus, splits: Iterable[str]
) -> dict[str, np.ndarray]:
    return {
        split: vocabulary.encode(corpus.split(split), f"{corpus.source}, {split} text")
        for split in splits
    }
