"""Where the files of a subtask of bAbI are: in the official archive, a folder of it, or by itself.

Archives are read, never extracted. What is in a file is in `parser`.
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
_LARGEST = 2**26  # bytes of a file; the largest published one has less than a tenth of that


@dataclass(frozen=True)
class SubtaskFiles:
    """What was read of one subtask.

    Args:
        language: The name of the folder that the files are in, such as `en-10k`; empty if it is
            not known.
        places: Where each split's file is, for messages.
        stories: Of each split: `"train"`, `"test"` and, where there is such a file,
            `"validation"`; of a single file, its own split only.
    """

    language: str
    places: dict[str, str]
    stories: dict[str, list[Story]]


def read(
    path: Path, subtask: int, language: str | None = None, required: Sequence[str] = REQUIRED
) -> SubtaskFiles:
    """Read the stories of a subtask.

    Files are known by their names, as in `qa5_three-arg-relations_train.txt`, or shorter ones, as
    in `qa5_train.txt`, which end in one of `splits.WORDS`. They may be packed as `.gz`.

    Args:
        path: The official archive or another one, as `archives.entries` takes them; a folder with
            the files of one language, or with such folders at most four levels below; or one file,
            `.txt` or `.txt.gz`.
        subtask: 1 to 20.
        language: Name of the folder to take, if there are several. By default `en-10k`, else `en`,
            else the only one. Not for a single file.
        required: The splits that must be there.

    Raises:
        ConfigError: If a required file, by default that of training or test, is missing; if there
            are two of one split; if it isn't clear which language is meant; if something can't be
            read, or breaks the format.
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
    """Return the numbers of the subtasks of which there are files, whatever their languages.

    Args:
        path: As for `read`. A file that is neither an archive nor named as a file of bAbI, and a
            path at which nothing is, have no subtasks.

    Raises:
        ConfigError: If a folder or an archive can't be read.
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
    """The files of one language: all places of each split, and the content of the first."""

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
    """Find the subtask's files by language; only the best language's contents are kept."""
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
