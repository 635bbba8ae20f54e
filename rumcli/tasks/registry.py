"""Table of the tasks. Each is one package; commands and configurations find it in this table.

Imports nothing but the standard library: help texts need the names at once, and the classes are
imported when they are needed.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from rumcli.config import RunConfig
    from rumcli.tasks.base import Task
    from rumcli.tasks.task_config import TaskSection
    from rumcli.tasks.task_dataset import DatasetLoader, TaskDataset


@dataclass(frozen=True)
class TaskEntry:
    """A task, by the import paths of its parts.

    Attributes:
        name: Name of the task in commands and configurations.
        config: Path of its configuration class, a `TaskSection`.
        task: Path of its `Task`.
        loader: Path of its `DatasetLoader`; None if the task generates its data step by step.
        examples: Path of the function that generates its examples; None if they are not numbered.
        summary: Path of the function that summarizes data for `rum data`, or returns None for data
            of another task; None if the task reads no data. The first match counts.
    """

    name: str
    config: str
    task: str
    loader: str | None = None
    examples: str | None = None
    summary: str | None = None


TASKS = (
    TaskEntry(
        "copying",
        config="rumcli.tasks.copying.config:CopyingConfig",
        task="rumcli.tasks.copying.task:Copying",
        examples="rumcli.tasks.copying.data:examples",
    ),
    TaskEntry(
        "recall",
        config="rumcli.tasks.recall.config:RecallConfig",
        task="rumcli.tasks.recall.task:Recall",
        examples="rumcli.tasks.recall.data:examples",
    ),
    TaskEntry(
        "state_tracking",
        config="rumcli.tasks.state_tracking.config:StateTrackingConfig",
        task="rumcli.tasks.state_tracking.task:StateTracking",
        examples="rumcli.tasks.state_tracking.data:examples",
    ),
    TaskEntry(
        "mqar",
        config="rumcli.tasks.mqar.config:MQARConfig",
        task="rumcli.tasks.mqar.task:MQAR",
        examples="rumcli.tasks.mqar.data:examples",
    ),
    TaskEntry(
        "adding",
        config="rumcli.tasks.adding.config:AddingConfig",
        task="rumcli.tasks.adding.task:Adding",
        examples="rumcli.tasks.adding.data:examples",
    ),
    TaskEntry(
        "selective_copying",
        config="rumcli.tasks.selective_copying.config:SelectiveCopyingConfig",
        task="rumcli.tasks.selective_copying.task:SelectiveCopying",
        examples="rumcli.tasks.selective_copying.data:examples",
    ),
    TaskEntry(
        "babi",
        config="rumcli.tasks.babi.config:BabiConfig",
        task="rumcli.tasks.babi.task:Babi",
        loader="rumcli.tasks.babi.dataset:BabiDatasetLoader",
        summary="rumcli.tasks.babi.story_summary:summarize",
    ),
    TaskEntry(
        "ptb",
        config="rumcli.tasks.char_lm.config:CharactersConfig",
        task="rumcli.tasks.char_lm.task:CharLM",
        loader="rumcli.tasks.char_lm.dataset:CharDatasetLoader",
        summary="rumcli.tasks.char_lm.text_summary:summarize",
    ),
)
_CUSTOM = "rumcli.tasks.task_config:CustomTaskConfig"


def names() -> list[str]:
    """Return the names of the tasks."""
    return [entry.name for entry in TASKS]


def with_examples() -> list[str]:
    """Return the names of the tasks whose examples can be written to files."""
    return [entry.name for entry in TASKS if entry.examples]


def configs() -> dict[str, type[TaskSection]]:
    """Return the configuration class of each task by name; `custom` comes last."""
    return {entry.name: _load(entry.config) for entry in TASKS} | {"custom": _load(_CUSTOM)}


def generate(
    task: TaskSection, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples of a task.

    Args:
        task: Options of the task; its name is one of `with_examples()`.
        seed: Seed, at least 0.
        split: `"train"`, `"validation"` or `"test"`.
        start: Index of the first example.
        count: Number of examples, n.

    Returns:
        Inputs `[n, ...]` and targets `[n, ...]`. The task's `data` module documents the shapes.
    """
    entry = _entry(task.name)
    assert entry is not None
    assert entry.examples is not None
    examples: tuple[np.ndarray, np.ndarray] = _load(entry.examples)(task, seed, split, start, count)
    return examples


def summarize_data(
    path: Path, preset: str | None = None, report: Callable[[str], None] = lambda text: None
) -> Any:
    """Summarize the data at a path, and a run on it, for `rum data`.

    Args:
        path: Path as for `--data`.
        preset: Name or file of the run's preset; None: preset of the task.
        report: Callback for a description of each slow step.

    Returns:
        The summary, a document of `json_schemas.inputs`.

    Raises:
        ConfigError: If the data is missing or is that of no task, or the preset is for another.
    """
    from rumcli.errors import ConfigError

    report(f"reading {path}")
    for entry in TASKS:
        summary = None if entry.summary is None else _load(entry.summary)(path, preset, report)
        if summary is not None:
            return summary
    raise ConfigError(f"{path} is not the data of any task")


def loader_for(run: RunConfig) -> DatasetLoader | None:
    """Return the dataset loader of a run; None if its task generates its own data."""
    entry = _entry(run.task.name)
    return None if entry is None or entry.loader is None else _load(entry.loader)(run)


def make(config: RunConfig, dataset: TaskDataset | None = None) -> Task:
    """Create the task of a run.

    Args:
        config: Configuration of the run.
        dataset: Dataset of a task that does not generate its own: text or stories.

    Returns:
        The task.

    Raises:
        ValueError: If the dataset does not have the type that the task requires.
        ConfigError: If a custom task is not trusted, or its factory fails.
    """
    entry, loader = _entry(config.task.name), loader_for(config)
    expected = type(None) if loader is None else loader.dataset
    if not isinstance(dataset, expected):
        raise ValueError(
            f"the dataset of task {config.task.name!r} must be of type {expected.__name__}, "
            f"got {dataset!r}"
        )
    if entry is None:
        return _custom_task(config)
    arguments = () if dataset is None else (dataset,)
    task: Task = _load(entry.task)(config, *arguments)
    return task


def _custom_task(config: RunConfig) -> Task:
    from rumcli import plugins
    from rumcli.errors import ConfigError
    from rumcli.tasks.base import Task
    from rumcli.tasks.task_config import CustomTaskConfig

    options = config.task
    assert isinstance(options, CustomTaskConfig)
    task = plugins.make(options.factory, "task", config, **options.options)
    if not isinstance(task, Task):
        raise ConfigError(
            f"task {options.factory}: expected a rumcli.tasks.base.Task, got {type(task).__name__}"
        )
    return task


def _entry(name: str) -> TaskEntry | None:
    """Return the entry of a task; None for a custom task."""
    return next((entry for entry in TASKS if entry.name == name), None)


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
