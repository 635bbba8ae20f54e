"""Configuration of the associative recall task."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rumcli.field_types import LARGEST, Positive
from rumcli.tasks.task_config import COMMON_METRICS, EVEN, TaskSection


class RecallConfig(TaskSection):
    """Associative recall: read keys with values, then output the value of one of the keys.

    T/2 keys with values, then one key to answer: length T + 3.

    Source: arXiv:1610.06258, section 4.1
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    name: Literal["recall"] = "recall"
    delay: Annotated[
        int,
        Field(ge=4, le=LARGEST, description="T, length of the keys and values"),
        EVEN,
    ] = 50
    train_examples: Positive = 100_000
    validation_examples: Positive = 10_000
    test_examples: Positive = 20_000
