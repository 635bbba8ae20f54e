"""Documents of `rum gen-data`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rumcli.documents.base import Count, Document, Positive, Section, Seed, Sha256

_Split = Literal["train", "validation", "test"]
_Subtask = Annotated[int, Field(ge=1, le=20)]


class _Examples(Section):
    path: str = Field(description="The file that was written.")
    format: Literal["npz", "jsonl", "txt"] = Field(description="Its format.")
    split: _Split = Field(description="The split of the examples.")
    seed: Seed = Field(description="Seed of the data.")
    delay: Positive = Field(description="T of the task, in time steps.")
    count: Positive = Field(description="Number of examples.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")


class CopyingExamples(_Examples, Document):
    """A file of copying examples.

    Printed by rum gen-data copying --out FILE --json.
    """

    kind: ClassVar[str] = "gen-data-copying"


class RecallExamples(_Examples, Document):
    """A file of recall examples.

    Printed by rum gen-data recall --out FILE --json.
    """

    kind: ClassVar[str] = "gen-data-recall"


class BabiFile(Section):
    """A file of one subtask and split."""

    path: str = Field(description="The file.")
    subtask: _Subtask = Field(description="Number of the subtask.")
    split: _Split = Field(description="The split of the stories.")
    questions: Positive = Field(description="Number of questions.")
    stories: Positive = Field(description="Number of stories.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")


class BabiFiles(Document):
    """Files of bAbI stories.

    Printed by rum gen-data babi --json.
    """

    kind: ClassVar[str] = "gen-data-babi"

    folder: str = Field(description="The directory of the files.")
    seed: Count = Field(description="Seed of the stories.")
    files: list[BabiFile] = Field(min_length=1, description="The files that were written.")


class TextFile(Section):
    """One of the three files of Penn Treebank."""

    path: str = Field(description="The file.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")
    written: bool = Field(description="Whether it was written now; else it was there already.")


class TextFiles(Document):
    """The files of Penn Treebank.

    Printed by rum gen-data ptb --json.
    """

    kind: ClassVar[str] = "gen-data-ptb"

    folder: str = Field(description="The directory of the files.")
    files: list[TextFile] = Field(
        min_length=3, max_length=3, description="Training, validation and test text."
    )
