"""The tasks by name."""

from __future__ import annotations

from rumcli.config import RunConfig
from rumcli.tasks.base import Task
from rumcli.tasks.characters import Characters
from rumcli.tasks.copying import Copying
from rumcli.tasks.recall import Recall
from rumcli.tasks.text import Text


def make(config: RunConfig, text: Text | None = None) -> Task:
    """Make the task that `config.task.name` names.

    Args:
        config: The run's configuration.
        text: What a task of characters needs besides; others have no text.

    Raises:
        ValueError: If there is a text and the task has none, or the reverse.
    """
    if (config.task.name == "ptb") != (text is not None):
        raise ValueError(f"task {config.task.name!r}, and text {text!r}")
    if text is not None:
        return Characters(config, text)
    return Copying(config) if config.task.name == "copying" else Recall(config)
