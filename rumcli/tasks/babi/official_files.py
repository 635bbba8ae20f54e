"""Discovery of the bAbI files of a subtask: in the official archive, a directory, or a single file.

Archives are read, never extracted. `parser` parses the content.
"""

from __future__ import annotations

import contextlib
import re
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rumcli.data import archives
from rumcli.data.splits import SPLITS, WORDS
from rumcli.errors import ConfigError
from rumcli.tasks.babi import parser, task_names
from rumcli.tasks.babi.story import Story

_PREFERRED = ("en-10k", "en")
_SPLITS = {word: split for split, words in WORDS.items() for word in words}
_NAME = re.compile(rf"qa([1-9][0-9]?)(?:_.+)?_({'|'.join(_SPLITS)})\.txt(?:\.gz)?")
REQUIRED = ("train", "test")
_LARGEST = 2**26  # bytes per file; more than ten times the largest published file


@dataclass(frozen=True)
class SubtaskFiles:
    """The files and stories of one subtask.

    Args:
        language: Name of the directory that contains the files, such as `en-10k`. Empty if
            unknown.
        places: Location of each split's file, for messages.
        stories: Stories by split: `"train"`, `"test"` and, if there is such a file,
            `"validation"`. A single file has only its own split.
    """

    language: str
    places: dict[str, str]
    stories: dict[str, list[Story]]


def read(
    path: Path, subtask: int, language: str | None = None, required: Sequence[str] = REQUIRED
) -> SubtaskFiles:
    """Read the stories of a subtask.

    Files are recognized by name, as in `qa5_three-arg-relations_train.txt`, or shorter, as in
    `qa5_train.txt`. The last word, one of `splits.WORDS`, identifies the split. Files may be
    gzip-compressed (`.gz`).

    Args:
        path: Archive, as for `archives.entries`; a directory with the files of one language, or
            with one such directory per language at most four levels below; or a single `.txt` or
            `.txt.gz` file.
        subtask: Number of the subtask, 1 to 20.
        language: Name of the directory to read if there are several. Defaults to `en-10k`, then
            `en`, then the only one. Not allowed for a single file.
        required: Splits that must be present.

    Returns:
        The files of the subtask and their stories.

    Raises:
        ConfigError: If a required split is missing, a split has two files, the language is
            ambiguous, or a file is unreadable or violates the format.
    """
    if path.name.endswith((".txt", ".txt.gz")) and path.is_file():
        return _read_file(path, subtask, language)
    found = _find(path, subtask, language)
    chosen = _choose(found, path, subtask, language)
    where = f"{path}, {chosen}" if chosen else str(path)
    _check_files(found[chosen], where, subtask, required)
    contents, all_places = found[chosen].contents, found[chosen].places
    places = {split: all_places[split][0] for split in SPLITS if split in all_places}
    stories = {split: parser.parse(contents[split], places[split]) for split in places}
    return SubtaskFiles(chosen, places, stories)


def subtasks_in(path: Path) -> list[int]:
    """Return the numbers of the subtasks that have files, in any language.

    Args:
        path: Path, as for `read`. The result is empty if the path does not exist, or is a file
            that is neither an archive nor named like a bAbI file.

    Returns:
        The numbers in ascending order.

    Raises:
        ConfigError: If a directory or an archive is unreadable.
    """
    if path.is_file() and not (tarfile.is_tarfile(path) or zipfile.is_zipfile(path)):
        names = [path.name]
    elif path.exists():
        with contextlib.closing(archives.entries(path)) as entries:
            names = [entry.name for entry in entries]
    else:
        names = []
    found = {int(match[1]) for match in map(_NAME.fullmatch, names) if match}
    return sorted(found.intersection(task_names.SUBTASKS))


@dataclass
class _Found:
    """The files of one language: all locations of each split, and the content of the first."""

    places: dict[str, list[str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)


def _read_file(path: Path, subtask: int, language: str | None) -> SubtaskFiles:
    if language is not None:
        raise ConfigError(f"{path} is a single file; a language is for folders and archives")
    split = _split_of(path.name, subtask)
    if split is None:
        raise ConfigError(
            f"the name of {path} does not say that it is of subtask {subtask}, nor which split; "
            f"expected a name as {task_names.file_name(subtask, 'test')}"
        )
    place = str(path)
    content = _content(archives.Entry(path.name, place, lambda: path.open("rb")))
    folder = path.resolve().parent.name
    return SubtaskFiles(folder, {split: place}, {split: parser.parse(content, place)})


def _find(path: Path, subtask: int, language: str | None) -> dict[str, _Found]:
    """Find the subtask's files by language; only the preferred language's contents are retained."""
    found: dict[str, _Found] = {}
    best = None
    with contextlib.closing(archives.entries(path)) as entries:
        for entry in entries:
            split = _split_of(entry.name, subtask)
            if split is None:
                continue
            here = found.setdefault(entry.folder, _Found())
            here.places.setdefault(split, []).append(entry.place)
            if best is None or _rank(entry.folder, language) < _rank(best, language):
                if best is not None:
                    found[best].contents.clear()
                best = entry.folder
            if entry.folder == best and split not in here.contents:
                here.contents[split] = _content(entry)
    return found


def _rank(folder: str, language: str | None) -> int:
    order = _PREFERRED if language is None else (language,)
    return order.index(folder) if folder in order else len(order)


def _choose(found: dict[str, _Found], path: Path, subtask: int, language: str | None) -> str:
    name = task_names.file_name(subtask, "train")
    if not found:
        raise ConfigError(f"{path} has no {name}, whether in itself or in a folder as en-10k")
    there = ", ".join(sorted(found))
    if language is not None and language not in found:
        raise ConfigError(f"{path} has no {name} in a folder {language}; there are: {there}")
    best = min(found, key=lambda folder: _rank(folder, language))
    if len(found) > 1 and language is None and best not in _PREFERRED:
        raise ConfigError(f"{path} has several languages: {there}; choose one of them")
    return best


def _check_files(found: _Found, where: str, subtask: int, required: Sequence[str]) -> None:
    for split, places in found.places.items():
        if len(places) > 1:
            raise ConfigError(f"{where}: {' and '.join(places)} are both for {split}; keep one")
    missing = [
        task_names.file_name(subtask, split) for split in required if split not in found.places
    ]
    if missing:
        there = ", ".join(places[0] for places in found.places.values())
        raise ConfigError(f"{where}: there is no {' and no '.join(missing)}, only {there}")


def _split_of(name: str, subtask: int) -> str | None:
    match = _NAME.fullmatch(name)
    return _SPLITS[match[2]] if match and int(match[1]) == subtask else None


def _content(entry: archives.Entry) -> bytes:
    content = entry.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ConfigError(f"{entry.place} has more than {_LARGEST // 2**20} MiB; is it of bAbI?")
    return content
