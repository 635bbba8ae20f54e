"""JSON schema of the dataset metadata that a run stores."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rumcli.tasks.babi import vocabulary

_Count = Annotated[int, Field(ge=0, le=2**62)]
_Length = Annotated[int, Field(ge=1, le=2**20)]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Word = Annotated[str, Field(min_length=1, max_length=1000)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _TextSplit(_Form):
    size: _Count
    sha256: _Digest


class _TextSplits(_Form):
    train: _TextSplit
    validation: _TextSplit
    test: _TextSplit


class CharMetadata(_Form):
    """Metadata of a text dataset: classes, unigram entropy, and a digest of each split."""

    symbols: list[int]
    has_unknown: bool
    source: str
    unigram_entropy: Annotated[float, Field(gt=0.0, le=8.01)]  # bits per byte; 8 with rounding
    splits: _TextSplits


class _Sizes(_Form):
    words: _Length
    sentences: _Length
    sentence: _Length


class _StoriesSplit(_Form):
    questions: _Count
    sha256: _Digest


class _StoriesSplits(_Form):
    train: _StoriesSplit
    validation: _StoriesSplit
    test: _StoriesSplit


class BabiMetadata(_Form):
    """Metadata of a bAbI dataset: vocabulary, answers, sizes, and a digest of each split."""

    words: Annotated[list[_Word], Field(min_length=1, max_length=vocabulary.MOST)]
    answers: Annotated[list[_Word], Field(min_length=1, max_length=vocabulary.MOST)]
    sizes: _Sizes
    majority: Annotated[float, Field(gt=0.0, le=1.0)]
    source: str
    splits: _StoriesSplits
