"""Configuration of selective copying."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from rumcli.field_types import Positive
from rumcli.tasks.task_config import COMMON_METRICS, TaskSection


class SelectiveCopyingConfig(TaskSection):
    """Selective copying: output symbols that were read at random places, in their order.

    Source: arXiv:2312.00752, section 4.1.1
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    length_key: ClassVar[str | None] = "length"
    name: Literal["selective_copying"] = "selective_copying"
    alphabet: Annotated[int, Field(ge=3, le=10_000, description="different symbols to copy")] = 14
    symbols: Annotated[int, Field(ge=3, le=10_000, description="symbols to copy")] = 16
    length: Annotated[
        int, Field(ge=3, le=1_000_000, description="time steps in which the symbols are read")
    ] = 256
    validation_examples: Positive = 512
    test_examples: Positive = 2048

    @field_validator("length")
    @classmethod
    def _room_for_symbols(cls, value: int, info: ValidationInfo) -> int:
        shortest = info.data.get("symbols", 0)
        if value < shortest:
            raise ValueError(f"at least {shortest:,}, the number of symbols")
        return value
