"""The tasks by name."""

from __future__ import annotations

from rumcli.config import RunConfig
from rumcli.tasks.base import Task
from rumcli.tasks.copying import Copying
from rumcli.tasks.recall import Recall

_TASKS: dict[str, type[Task]] = {"copying": Copying, "recall": Recall}


def make(config: RunConfig) -> Task:
    """Make the task that `config.task.name` names."""
    return _TASKS[config.task.name](config)
