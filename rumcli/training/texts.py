"""The text of a run that has one: read when it is needed, and remembered in the run folder.

`vocabulary.json` has the classes and what the splits were, so that a run never mistakes one text
for another. No Keras here.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rumcli.config import CharactersConfig, RunConfig, Split
from rumcli.data import corpus as corpora
from rumcli.data.corpus import Corpus
from rumcli.data.splits import SPLITS
from rumcli.data.windows import Windows
from rumcli.errors import ConfigError, RunError
from rumcli.tasks.text import Text
from rumcli.training.run_folder import RunFolder

NAME = "vocabulary.json"


def for_training(run: RunConfig, folder: RunFolder | None) -> Text | None:
    """Read the text that a run trains on; None if its task has none.

    Args:
        run: The run.
        folder: Where it goes on; None if it is new.

    Raises:
        ConfigError: If the text is missing, can't be read, is too short, or not that of the run.
        RunError: If what the folder remembers of it is missing or damaged.
    """
    if not isinstance(run.task, CharactersConfig):
        return None
    remembered = _remembered(folder) if folder and _has_begun(folder) else None
    corpus = _read(run.task.data, has_moved=remembered is not None)
    if remembered is None:
        text = Text.of(corpus, run.task.unknown_below)
    else:
        _check(remembered, corpus, SPLITS, "a run goes on with the text that it began with")
        text = remembered.reading(corpus, SPLITS)
    windows = Windows(text.classes[Split.TRAIN], run.train.batch_size, run.task.length)
    _ = windows.windows_per_pass  # complains of a text that is too short
    return text


def for_evaluation(folder: RunFolder, split: Split, data: Path | None = None) -> Text | None:
    """Read the split that a run is evaluated on; None if its task has no text.

    Args:
        folder: The run.
        split: `"validation"` or `"test"`.
        data: Another text than the run's own, or where that is now.

    Raises:
        ConfigError: As `for_training` does; or there is a `data`, and the task has no text.
        RunError: As `for_training` does.
    """
    task = folder.config.task
    if not isinstance(task, CharactersConfig):
        if data is not None:
            raise ConfigError(f"--data {data}: {folder.path} is of '{task.name}', without text")
        return None
    remembered = _remembered(folder)
    corpus = _read(str(data) if data else task.data, has_moved=data is None)
    if data is None:
        _check(remembered, corpus, [split], f"--data {corpus.source} evaluates it all the same")
    return remembered.reading(corpus, [split])


def for_generation(folder: RunFolder) -> Text:
    """Return what a run remembers of its text.

    Raises:
        ConfigError: If its task has no text.
        RunError: If it is missing or damaged.
    """
    task = folder.config.task
    if not isinstance(task, CharactersConfig):
        raise ConfigError(
            f"{folder.path} is a run of '{task.name}'; only runs of 'ptb' can write a text"
        )
    return _remembered(folder)


def remember(text: Text | None, folder: RunFolder) -> None:
    """Keep in a run folder what must be remembered of its text, if it has one."""
    if text is not None:
        folder.write_json(NAME, text.to_json())


def _has_begun(folder: RunFolder) -> bool:
    return (folder.path / NAME).exists() or bool(folder.checkpoints.numbered())


def _remembered(folder: RunFolder) -> Text:
    path = folder.path / NAME
    if not path.exists():
        raise RunError(f"{path} is missing; without it the weights of the run have no meaning")
    try:
        return Text.from_json(folder.read_json(NAME))
    except ConfigError as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _read(data: str | None, has_moved: bool) -> Corpus:
    if data is None:
        raise ConfigError(
            "--data: which text? A folder with train, valid and test files, or one file; "
            "Penn Treebank: rum gen-data ptb"
        )
    try:
        return corpora.read(Path(data))
    except ConfigError as error:
        hint = "; if it has moved: --data PATH" if has_moved else ""
        raise ConfigError(f"{error}{hint}") from error


def _check(text: Text, corpus: Corpus, splits: Iterable[str], hint: str) -> None:
    changed = text.changed(corpus, splits)
    if changed:
        *others, last = changed
        named = f"{', '.join(others)} and {last}" if others else last
        raise ConfigError(f"{corpus.source}: the {named} text is not that of the run; {hint}")
