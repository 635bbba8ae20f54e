"""Base class of the tasks' configurations. The package of each task has its own in `config`.

Imports neither Keras nor `rumcli.config`, which builds its schema from these classes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from rumcli.field_types import Code, Options, Section
from rumcli.tasks import registry

# Metrics of every test, besides the task's own.
_OF_TESTS = ("gap_to_baseline", "normalized_score")
COMMON_METRICS = ("loss", *_OF_TESTS)


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


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("an even integer")
    return value


EVEN = AfterValidator(_even)
DataPath = Annotated[str | None, AfterValidator(_absolute)]


@dataclass(frozen=True)
class Subtask:
    """A task of a suite, which has a run of its own.

    Attributes:
        number: Number of the subtask.
        name: Name of the subtask.
        directory: Name of the directory of its run.
        task: Configuration of the subtask alone.
    """

    number: int
    name: str
    directory: str
    task: TaskSection


class TaskSection(Section):
    """Options of a task, for its data and size.

    The first line of a subclass's docstring describes the task; its last one is `Source: …`.

    Attributes:
        metrics: Metrics of an evaluation; empty if only the code of a custom task defines them.
        loss_unit: Unit of the loss; None if it has none, or it is unknown.
        writes_text: Whether the models of the task can continue a text.
        shows_examples: Whether an evaluation can show single predictions.
        length_key: Option that is the length of the sequences; None if a model of the task works at
            one length only.
    """

    metrics: ClassVar[tuple[str, ...]] = ()
    loss_unit: ClassVar[str | None] = "nats"
    writes_text: ClassVar[bool] = False
    shows_examples: ClassVar[bool] = False
    length_key: ClassVar[str | None] = None
    name: str

    @classmethod
    def validated_metrics(cls) -> tuple[str, ...]:
        """Return the metrics of a validation; empty for a custom task."""
        return tuple(name for name in cls.metrics if name not in _OF_TESTS)

    @property
    def label(self) -> str:
        """Name of the task in directories and tables."""
        return self.name

    @property
    def reads_files(self) -> bool:
        """Whether the data of the task are files of the user."""
        return getattr(self, "data", None) is not None

    @property
    def subtasks(self) -> Sequence[Subtask]:
        """Subtasks to train, each in a run of its own; empty for a single task."""
        return ()

    def suite_fields(self, accuracies: Sequence[float]) -> dict[str, Any]:
        """Return the fields of the summary of all subtasks that only this task has.

        Args:
            accuracies: Test accuracy of each subtask.
        """
        return {}


class CustomTaskConfig(TaskSection):
    """Task of your own, `package.module:Class`.

    `factory(config, **options)` creates it.
    """

    loss_unit: ClassVar[str | None] = None
    name: Literal["custom"] = "custom"
    factory: Code
    options: Options = Field(default={}, description="of the factory, by name")

    @property
    def label(self) -> str:
        """Name of the class or function in lowercase: `my_task` for `mine:MyTask`.

        A name of a built-in task is preceded by that of the module: `mine_copying`.
        """
        module, _, name = self.factory.partition(":")
        label = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
        is_taken = label in registry.names()
        return f"{module.rpartition('.')[2]}_{label}" if is_taken else label
