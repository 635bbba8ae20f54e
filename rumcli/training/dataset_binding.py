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


def for_training(run: RunConfig, run_dir: RunDir | None) -> TaskDataset | None:
    """Load the training dataset of a run.

    Args:
        run: Configuration of the run.
        run_dir: Run directory; None if the run is new.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: If the data is missing, unreadable, too short, or not that of the run.
        RunError: If the dataset metadata in the run directory is missing or damaged.
    """
    source = registry.loader_for(run)
    if source is None:
        return None
    saved = _load_metadata(source, run_dir) if run_dir and _has_started(run_dir) else None
    found = _read(source, source.path, has_moved=saved is not None)
    if saved is None:
        dataset = source.make(found)
    else:
        _check_splits(saved, found)
        dataset = saved.with_splits(found, SPLITS)
    source.check(dataset)
    return dataset


def check_same_dataset(run: RunConfig, run_dirs: Iterable[RunDir]) -> None:
    """Check that runs resume with their original dataset, which is read only once.

    Args:
        run: Configuration with the path of the data.
        run_dirs: Run directories with the same task and seed. Those that have not started, or whose
            metadata is missing or damaged, are skipped.

    Raises:
        ConfigError: If the data is missing, unreadable, or not that of one of the runs.
    """
    source = registry.loader_for(run)
    started = [run_dir for run_dir in run_dirs if _has_started(run_dir)]
    if source is None or not started:
        return
    found = _read(source, source.path, has_moved=True)
    for run_dir in started:
        try:
            saved = _load_metadata(source, run_dir)
        except RunError:  # reported when that run is resumed
            continue
        try:
            _check_splits(saved, found)
        except ConfigError as error:
            raise ConfigError(f"{run_dir.path}: {error}") from error


def for_evaluation(run_dir: RunDir, split: Split, data: Path | None = None) -> TaskDataset | None:
    """Load the split on which a run is evaluated.

    Args:
        run_dir: Run directory.
        split: `"validation"` or `"test"`.
        data: Path that replaces the one in the configuration; its content may differ from the
            run's dataset.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: As in `for_training`, or if `data` is set and the task takes none.
        RunError: As in `for_training`.
    """
    run = run_dir.config
    source = registry.loader_for(run)
    if source is None:
        if data is not None:
            label = run.task.label
            where = errors.option("--data", data)
            raise ConfigError(f"{where}: {run_dir.path} is a run of '{label}', which takes no data")
        return None
    saved = _load_metadata(source, run_dir)
    found = _read(source, str(data) if data else source.path, data is None, split)
    if data is None:
        hint = f"to evaluate on it anyway: {errors.option('--data', found.source)}"
        _check(saved, found, [split], hint)
    dataset = saved.with_splits(found, [split])
    source.check(dataset)
    return dataset


def text_of(run_dir: RunDir) -> Any:
    """Restore the metadata of a run's text without reading the text.

    Args:
        run_dir: Run directory.

    Returns:
        The dataset, without the content of its splits.

    Raises:
        ConfigError: If models of the run's task cannot generate text.
        RunError: If the metadata is missing or damaged.
    """
    task = run_dir.config.task
    source = registry.loader_for(run_dir.config) if task.writes_text else None
    if source is None:
        able = [f"'{name}'" for name, one in registry.configs().items() if one.writes_text]
        raise ConfigError(
            f"{run_dir.path} is a run of '{task.label}'; "
            f"only runs of {' or '.join(able)} can generate text"
        )
    return _load_metadata(source, run_dir)


def write_metadata(dataset: TaskDataset | None, run_dir: RunDir) -> None:
    """Write the metadata of a dataset to the run directory; do nothing for None."""
    if dataset is not None:
        run_dir.write_json(NAME, dataset.to_json())


def _has_started(run_dir: RunDir) -> bool:
    return (run_dir.path / NAME).exists() or bool(run_dir.checkpoints.numbered())


def _load_metadata(source: DatasetLoader, run_dir: RunDir) -> Any:
    path = run_dir.path / NAME
    if not path.exists():
        raise RunError(
            f"{path} is missing; without it the run can neither be resumed nor evaluated"
        )
    try:
        return source.restore(run_dir.read_json(NAME))
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


def _check_splits(saved: Any, found: Any) -> None:
    hint = "expected the data with which the run started"
    _check(saved, found, SPLITS, hint)


def _check(dataset: Any, found: Any, splits: Iterable[str], hint: str) -> None:
    changed = dataset.changed_splits(found, splits)
    if changed:
        *others, last = changed
        named = (
            f"{', '.join(others)} and {last} splits differ" if others else f"{last} split differs"
        )
        raise ConfigError(f"{found.source}: the {named} from those of the run; {hint}")
