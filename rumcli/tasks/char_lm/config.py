"""Configuration of character-level language modeling."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from rumcli import parsing
from rumcli.field_types import LARGEST, Positive
from rumcli.tasks.task_config import COMMON_METRICS, DataPath, TaskSection

AUTO = "auto"  # an unknown symbol for every text but Penn Treebank


def _min_count(value: int | str | None) -> int | str | None:
    if isinstance(value, str):
        value = parsing.name(value, (AUTO,))
    if value in (None, AUTO) or (isinstance(value, int) and 1 <= value <= LARGEST):
        return value
    raise ValueError(f"a positive integer, {AUTO} or null")


class CharactersConfig(TaskSection):
    """Character-level language model: predict each character of a text.

    Source: arXiv:1705.08639
    """

    metrics: ClassVar[tuple[str, ...]] = ("bits_per_character", "perplexity", *COMMON_METRICS)
    writes_text: ClassVar[bool] = True
    name: Literal["ptb"] = "ptb"
    data: Annotated[
        DataPath, Field(description="directory with train, valid and test files, or one file")
    ] = None
    bptt_steps: Annotated[Positive, Field(description="steps of truncated back-propagation")] = 150
    eval_batch_size: Positive = 20
    embedding: Annotated[Positive, Field(description="size of a symbol's vector")] = 128
    min_count: Annotated[
        int | str | None,
        Field(description="occurrences below which a byte is unknown; auto; or null"),
        AfterValidator(_min_count),
    ] = AUTO

    @property
    def reads_files(self) -> bool:
        """Always true: no text is generated."""
        return True
