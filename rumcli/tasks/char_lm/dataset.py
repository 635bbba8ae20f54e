"""The text of a run: its splits as classes, and what must be remembered of it.

No Keras: what is wrong with a text is told before Keras is there. Where a run keeps what must be
remembered is in `rumcli.training.dataset_binding`.
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
    """What a split was: its size in bytes and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str

    @classmethod
    def of(cls, corpus: Corpus, split: str) -> Content:
        """Describe a split of a text."""
        return cls(len(corpus.split(split)), corpus.digest(split))


@dataclass(frozen=True, eq=False)
class CharDataset:
    """A text as a model of its characters takes it.

    Args:
        source: Where it is from.
        vocabulary: The classes, made of the training text.
        unigram_entropy: Of the training text, in bits per character.
        contents: What each split was.
        classes: Those of the splits that are at hand, `[N]` int32 each.
    """

    source: str
    vocabulary: CharVocabulary
    unigram_entropy: float
    contents: Mapping[str, Content]
    classes: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(cls, corpus: Corpus, min_count: int | str | None) -> CharDataset:
        """Make the text of a new run.

        Args:
            corpus: The bytes.
            min_count: See `Vocabulary.of`; or `"auto"`: 1, but None for Penn Treebank, whose
                published scores have no unknown symbol.

        Raises:
            ConfigError: If the training text has one symbol only, or another split one that it
                does not have, without an unknown symbol.
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
        """Return those of the splits that are not what they were."""
        return [split for split in splits if Content.of(corpus, split) != self.contents[split]]

    def reading(self, corpus: Corpus, splits: Iterable[str]) -> CharDataset:
        """Return the text with the classes of splits of `corpus`, in the vocabulary of this one.

        Raises:
            ConfigError: If there is a symbol that the vocabulary does not have.
        """
        classes = _encode(self.vocabulary, corpus, splits)
        contents = {**self.contents, **{split: Content.of(corpus, split) for split in classes}}
        return dataclasses.replace(self, source=corpus.source, contents=contents, classes=classes)

    def to_json(self) -> dict[str, Any]:
        """Return all but the classes, of JSON's own types."""
        return {
            **self.vocabulary.to_json(),
            "source": self.source,
            "unigram_entropy": self.unigram_entropy,
            "splits": {split: vars(content) for split, content in self.contents.items()},
        }

    @classmethod
    def from_json(cls, content: Any) -> CharDataset:
        """Make a text without classes of what `to_json` gave.

        Raises:
            ConfigError: If it is something else.
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
    """Return whether splits, described by name, are those of Penn Treebank."""
    known = [Content(file.size, file.sha256) for file in penn_treebank.FILES]
    return [contents[split] for split in SPLITS] == known


def _encode(
    vocabulary: CharVocabulary, corpus: Corpus, splits: Iterable[str]
) -> dict[str, np.ndarray]:
    return {
        split: vocabulary.encode(corpus.split(split), f"{corpus.source}, {split} text")
        for split in splits
    }
