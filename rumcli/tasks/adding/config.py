"""Configuration of the adding task."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rumcli.field_types import Positive
from rumcli.tasks.task_config import COMMON_METRICS, TaskSection


class AddingConfig(TaskSection):
    """Adding: output the sum of two marked numbers in a sequence. A regression.

    Source: Hochreiter and Schmidhuber 1997; arXiv:1511.06464, section 5.2
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    loss_unit: ClassVar[str | None] = "mean squared error"
    length_key: ClassVar[str | None] = "length"
    name: Literal["adding"] = "adding"
    length: Annotated[int, Field(ge=3, le=1_000_000, description="numbers of a sequence")] = 200
    validation_examples: Positive = 1024
    test_examples: Positive = 2048
