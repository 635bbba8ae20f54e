"""Schema of the tasks: options for their data and size."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from rumcli import parsing
from rumcli.config.field_types import LARGEST, Code, Few, Options, Positive, Section

ALL = "all"  # all bAbI subtasks in sequence
AUTO = "auto"  # an unknown symbol for every text but Penn Treebank


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("an even integer")
    return value


def _absolute(path: str | None) -> str | None:
    """Make a path absolute and independent of the locale in which it is read again."""
    if path is None:
        return None
    try:
        # One locale decodes a name as text where another has surrogates for its bytes.
        path = os.fsdecode(path.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        path = ""
    if not path:
        raise ValueError("a path")
    try:
        return str(Path(path).expanduser().absolute())
    except RuntimeError as error:  # ~name of an unknown user
        raise ValueError("a path in a home that exists") from error


def _subtask(value: int | str) -> int | str:
    if isinstance(value, str):  # as in command-line options
        value = int(value) if value.isdecimal() else parsing.name(value, [ALL])
    if value == ALL or (isinstance(value, int) and 1 <= value <= 20):
        return value
    raise ValueError(f"a number from 1 to 20, or {ALL}")


def _min_count(value: int | str | None) -> int | str | None:
    if isinstance(value, str):
        value = parsing.name(value, (AUTO,))
    if value in (None, AUTO) or (isinstance(value, int) and 1 <= value <= LARGEST):
        return value
    raise ValueError(f"a whole number from 1 on, {AUTO} or null")


# Metrics of every test, besides the task's own.
_OF_TESTS = ("gap_to_baseline", "normalized_score")
_FIGURES = ("loss", *_OF_TESTS)


def validated_figures(task: Any) -> tuple[str, ...]:
    """Return the validation metrics of a task; empty for a custom task.

    Args:
        task: Configuration of the task, or its class.
    """
    return tuple(name for name in task.figures if name not in _OF_TESTS)


class CopyingConfig(Section):
    """Copying memory: output ten symbols T time steps after they were read.

    Length T + 20, ten classes in, nine out.

    Source: arXiv:1511.06464, section 5.1
    """

    figures: ClassVar[tuple[str, ...]] = ("symbol_accuracy", *_FIGURES)
    name: Literal["copying"] = "copying"
    delay: Annotated[Positive, Field(description="T, time steps between symbols and recall")] = 200
    validation_examples: Positive = 512
    test_examples: Positive = 2048


class RecallConfig(Section):
    """Associative recall: read keys with values, then output the value of one of the keys.

    T/2 keys with values, then one key to answer: length T + 3.

    Source: arXiv:1610.06258, section 4.1
    """

    figures: ClassVar[tuple[str, ...]] = ("accuracy", *_FIGURES)
    name: Literal["recall"] = "recall"
    delay: Annotated[
        int,
        Field(ge=4, le=LARGEST, description="T, length of the keys and values"),
        AfterValidator(_even),
    ] = 50
    train_examples: Positive = 100_000
    validation_examples: Positive = 10_000
    test_examples: Positive = 20_000


class CharactersConfig(Section):
    """Character-level language model: predict each character of a text.

    Source: arXiv:1705.08639
    """

    figures: ClassVar[tuple[str, ...]] = ("bits_per_character", "perplexity", *_FIGURES)
    name: Literal["ptb"] = "ptb"
    data: Annotated[
        str | None,
        Field(description="folder with train, valid and test files, or one file"),
        AfterValidator(_absolute),
    ] = None
    bptt_steps: Annotated[Positive, Field(description="steps of truncated back-propagation")] = 150
    eval_batch_size: Positive = 20
    embedding: Annotated[Positive, Field(description="size of a symbol's vector")] = 128
    min_count: Annotated[
        int | str | None,
        Field(description="occurrences below which a byte is unknown; auto; or null"),
        AfterValidator(_min_count),
    ] = AUTO


class BabiConfig(Section):
    """Question answering: read a short story and answer a question, in twenty subtasks (bAbI).

    Source: arXiv:1502.05698
    """

    figures: ClassVar[tuple[str, ...]] = ("accuracy", *_FIGURES)
    name: Literal["babi"] = "babi"
    subtask: Annotated[
        int | str, Field(description="number of the subtask, or all"), AfterValidator(_subtask)
    ] = 1
    data: Annotated[
        str | None,
        Field(description="official archive, folder or file; null: generated"),
        AfterValidator(_absolute),
    ] = None
    language: Annotated[
        str | None, Field(description="folder of the official data, as in en-10k")
    ] = None
    generate_missing_train: Annotated[
        bool, Field(description="generate training stories whose file is missing in the data")
    ] = False
    train_examples: Annotated[Positive, Field(description="questions to generate")] = 9000
    validation_examples: Positive = 1000
    test_examples: Positive = 1000
    input_level: Annotated[
        Literal["words", "sentences"], Field(description="what a time step is")
    ] = "sentences"
    embedding: Annotated[Positive, Field(description="size of a word's vector")] = 64
    num_hops: Annotated[Few, Field(description="number of attention hops over the sentences")] = 3


class CustomTaskConfig(Section):
    """Task of your own, `package.module:Class`.

    `factory(config, **options)` creates it.
    """

    figures: ClassVar[tuple[str, ...]] = ()  # defined by the custom code
    name: Literal["custom"] = "custom"
    factory: Code
    options: Options = Field(default={}, description="of the factory, by name")


TaskConfig = Annotated[
    CopyingConfig | RecallConfig | CharactersConfig | BabiConfig | CustomTaskConfig,
    Field(discriminator="name"),
]
