"""Configuration of multi-query associative recall."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from rumcli.field_types import LARGEST, Positive
from rumcli.tasks.task_config import COMMON_METRICS, EVEN, TaskSection


class MQARConfig(TaskSection):
    """Multi-query associative recall: read keys with values, then output the value of each key.

    The first half of the vocabulary is the keys, the second half the values.

    Source: arXiv:2312.04927, section 3
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    length_key: ClassVar[str | None] = "length"
    name: Literal["mqar"] = "mqar"
    vocabulary: Annotated[
        int,
        Field(ge=6, le=1_000_000, description="number of symbols: keys and values"),
        EVEN,
    ] = 256
    pairs: Annotated[int, Field(ge=2, le=100_000, description="keys with values")] = 4
    length: Annotated[
        int, Field(ge=8, le=1_000_000, description="symbols of a sequence, 4 or more for each pair")
    ] = 64
    embedding: Annotated[Positive, Field(description="size of a symbol's vector")] = 64
    train_examples: Annotated[int, Field(ge=1, le=LARGEST)] = 100_000
    validation_examples: Positive = 1000
    test_examples: Positive = 3000

    @field_validator("pairs")
    @classmethod
    def _distinct_keys(cls, value: int, info: ValidationInfo) -> int:
        keys = info.data.get("vocabulary", 2 * value) // 2
        if value > keys:
            raise ValueError(f"at most {keys:,}, half of the vocabulary, since keys differ")
        return value

    @field_validator("length")
    @classmethod
    def _room_for_queries(cls, value: int, info: ValidationInfo) -> int:
        shortest = 4 * info.data.get("pairs", 0)
        if value < shortest:
            raise ValueError(f"at least {shortest:,}, four for each pair")
        return value
