"""Task registry."""

from __future__ import annotations

from rumcli import plugins
from rumcli.config import CustomTaskConfig, RunConfig
from rumcli.errors import ConfigError
from rumcli.tasks.babi.dataset import BabiDataset
from rumcli.tasks.babi.task import Babi
from rumcli.tasks.base import Task
from rumcli.tasks.char_lm.dataset import CharDataset
from rumcli.tasks.char_lm.task import CharLM
from rumcli.tasks.copying.task import Copying
from rumcli.tasks.recall.task import Recall
from rumcli.tasks.task_dataset import TaskDataset

_KINDS: dict[str, type[TaskDataset]] = {"ptb": CharDataset, "babi": BabiDataset}


def make(config: RunConfig, dataset: TaskDataset | None = None) -> Task:
    """Create the task named `config.task.name`.

    Args:
        config: Configuration of the run.
        dataset: Dataset of a task that does not generate its own: text or stories.

    Returns:
        The task.

    Raises:
        ValueError: If the dataset does not have the type that the task requires.
        ConfigError: If a custom task is not trusted, or its factory fails.
    """
    if not isinstance(dataset, _KINDS.get(config.task.name, type(None))):
        raise ValueError(f"task {config.task.name!r}, and dataset {dataset!r}")
    if isinstance(config.task, CustomTaskConfig):
        return _of_user(config, config.task)
    if isinstance(dataset, CharDataset):
        return CharLM(config, dataset)
    if isinstance(dataset, BabiDataset):
        return Babi(config, dataset)
    return Copying(config) if config.task.name == "copying" else Recall(config)


def _of_user(config: RunConfig, task: CustomTaskConfig) -> Task:
    made = plugins.make(task.factory, "task", config, **task.options)
    if not isinstance(made, Task):
        raise ConfigError(
            f"task {task.factory}: expected a rumcli.tasks.base.Task, got {type(made).__name__}"
        )
    return made
