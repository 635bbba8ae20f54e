"""Binding between a run and its dataset of text or stories.

`vocabulary.json` in the run directory records the classes and the identity of each split, so that
a run never continues on another dataset. The loader of the task reads the data. No Keras here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rumcli import errors
from rumcli.config import RunConfig, Split
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError, Metavar, RunError
from rumcli.tasks import registry
from rumcli.tasks.task_dataset import DatasetLoader, TaskDataset
from rumcli.training.run_dir import RunDir

NAME = "vocabulary.json"


def for_training(run: RunConfig, folder: RunDir | None) -> TaskDataset | None:
    """Load the training dataset of a run.

    Args:
        run: Configuration of the run.
        folder: Run directory; None if the run is new.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: If the data is missing, unreadable, too short, or not that of the run.
        RunError: If the dataset metadata in the run directory is missing or damaged.
    """
    source = registry.loader_for(run)
    if source is None:
        return None
    remembered = _remembered(source, folder) if folder and _has_begun(folder) else None
    found = _read(source, source.path, has_moved=remembered is not None)
    if remembered is None:
        dataset = source.make(found)
    else:
        _check_going_on(source, remembered, found)
        dataset = remembered.with_splits(found, SPLITS)
    source.check(dataset)
    return dataset


def check_going_on(run: RunConfig, folders: Iterable[RunDir]) -> None:
    """Check that runs resume with their original dataset, which is read only once.

    Args:
        run: Configuration with the path of the data.
        folders: Run directories with the same task and seed. Those that have not started, or whose
            metadata is missing or damaged, are skipped.

    Raises:
        ConfigError: If the data is missing, unreadable, or not that of one of the runs.
    """
    source, begun = (
        registry.loader_for(run),
        [folder for folder in folders if _has_begun(folder)],
    )
    if source is None or not begun:
        return
    found = _read(source, source.path, has_moved=True)
    for folder in begun:
        try:
            remembered = _remembered(source, folder)
        except RunError:  # reported when that run is resumed
            continue
        try:
            _check_going_on(source, remembered, found)
        except ConfigError as error:
            raise ConfigError(f"{folder.path}: {error}") from error


def for_evaluation(folder: RunDir, split: Split, data: Path | None = None) -> TaskDataset | None:
    """Load the split on which a run is evaluated.

    Args:
        folder: Run directory.
        split: `"validation"` or `"test"`.
        data: Path that replaces the one in the configuration; its content may differ from the
            run's dataset.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: As in `for_training`, or if `data` is set and the task takes none.
        RunError: As in `for_training`.
    """
    run = folder.config
    source = registry.loader_for(run)
    if source is None:
        if data is not None:
            label = run.task.label
            where = errors.option("--data", data)
            raise ConfigError(f"{where}: {folder.path} is of '{label}', without text")
        return None
    remembered = _remembered(source, folder)
    found = _read(source, str(data) if data else source.path, data is None, split)
    if data is None:
        hint = f"{errors.option('--data', found.source)} evaluates it all the same"
        _check(source, remembered, found, [split], hint)
    dataset = remembered.with_splits(found, [split])
    source.check(dataset)
    return dataset


def text_of(folder: RunDir) -> Any:
    """Restore the text metadata of a run without reading the text.

    Args:
        folder: Run directory.

    Returns:
        The dataset, without the content of its splits.

    Raises:
        ConfigError: If models of the run's task cannot continue a text.
        RunError: If the metadata is missing or damaged.
    """
    task = folder.config.task
    source = registry.loader_for(folder.config) if task.writes_text else None
    if source is None:
        able = [f"'{name}'" for name, one in registry.configs().items() if one.writes_text]
        raise ConfigError(
            f"{folder.path} is a run of '{task.label}'; "
            f"only runs of {' or '.join(able)} can write a text"
        )
    return _remembered(source, folder)


def write_metadata(dataset: TaskDataset | None, folder: RunDir) -> None:
    """Write the metadata of a dataset to the run directory; do nothing for None."""
    if dataset is not None:
        folder.write_json(NAME, dataset.to_json())


def _has_begun(folder: RunDir) -> bool:
    return (folder.path / NAME).exists() or bool(folder.checkpoints.numbered())


def _remembered(source: DatasetLoader, folder: RunDir) -> Any:
    path = folder.path / NAME
    if not path.exists():
        raise RunError(f"{path} is missing; without it the weights of the run have no meaning")
    try:
        return source.restore(folder.read_json(NAME))
    except ConfigError as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _read(
    source: DatasetLoader, data: str | None, has_moved: bool, split: str | None = None
) -> Any:
    try:
        return source.read(data, split)
    except ConfigError as error:
        where = errors.option("--data", Metavar("PATH"))
        hint = f"; if it has moved: {where}" if has_moved and data else ""
        raise ConfigError(f"{error}{hint}") from error


def _check_going_on(source: DatasetLoader, remembered: Any, found: Any) -> None:
    hint = f"a run resumes with the {source.noun} that it began with"
    _check(source, remembered, found, SPLITS, hint)


def _check(
    source: DatasetLoader, dataset: Any, found: Any, splits: Iterable[str], hint: str
) -> None:
    changed = dataset.changed_splits(found, splits)
    if changed:
        *others, last = changed
        named = f"{', '.join(others)} and {last}" if others else last
        verb = source.is_or_are
        raise ConfigError(
            f"{found.source}: the {named} {source.noun} {verb} not that of the run; {hint}"
        )
