"""Configuration of the copying memory task."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from rumcli.field_types import Positive
from rumcli.tasks.task_config import COMMON_METRICS, TaskSection


class CopyingConfig(TaskSection):
    """Copying memory: output ten symbols T time steps after they were read.

    Length T + 20, ten classes in, nine out.

    Source: arXiv:1511.06464, section 5.1
    """

    metrics: ClassVar[tuple[str, ...]] = ("symbol_accuracy", *COMMON_METRICS)
    name: Literal["copying"] = "copying"
    delay: Annotated[Positive, Field(description="T, time steps between symbols and recall")] = 200
    validation_examples: Positive = 512
    test_examples: Positive = 2048
