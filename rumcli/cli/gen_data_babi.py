"""`rum gen-data babi`: write bAbI stories in the official format, with the official file names."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rumcli.cli import _options
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from collections.abc import Callable

    from rumcli.data.splits import SplitName
    from rumcli.json_schemas.data import BabiFile

_ALL: Literal["all"] = "all"
# The published files have no validation split.
_PUBLISHED: tuple[SplitName, ...] = ("train", "test")
_COUNTS = {"train": 10_000, "validation": 1_000, "test": 1_000}


@dataclass(frozen=True)
class _File:
    """File to write."""

    path: Path
    subtask: int
    split: SplitName
    questions: int


def babi(
    subtask: Annotated[
        str,
        typer.Option(
            metavar="1-20|all",
            help="Number of the subtask, or all of them.",
            autocompletion=_options.completing(lambda: [*_subtasks(), _ALL]),
        ),
    ],
    count: Annotated[
        int | None,
        _options.integer(
            "Number of questions in each file. Default: 10000 for training, 1000 for the others."
        ),
    ] = None,
    seed: Annotated[int, _options.integer("Seed of the stories.")] = 1,
    split: Annotated[
        str,
        typer.Option(
            help="train, validation or test; all: train and test, as published.",
            autocompletion=_options.completing(lambda: [*_options.splits(), _ALL]),
        ),
    ] = _ALL,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path(
        "data/babi"
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Generate questions about stories as in bAbI; the same seed gives the same questions."""
    from rumcli.json_schemas.data import BabiFiles

    named: SplitName | Literal["all"] = _options.choose(
        "--split", "split", split, [*_options.splits(), _ALL]
    )
    _options.at_least("--seed", 0, seed)
    if count is not None:
        _options.at_least("--count", 1, count)
    files = _files(_chosen(subtask), named, count, out)
    _check(files, out, force)
    written = _write(files, seed, out, force)
    names = f"{len(files)} files" if len(files) > 2 else " and ".join(f.path.name for f in files)
    console.note(f"wrote {names} to {out}")
    if as_json:
        console.show_document(BabiFiles(folder=str(out), seed=seed, files=written))


def _subtasks() -> list[str]:
    from rumcli.tasks.babi.generator import story_generator

    return [str(number) for number in sorted(story_generator.FAMILIES)]


def _chosen(subtask: str) -> list[int]:
    known = _subtasks()
    subtask = _options.subtask(subtask)
    if subtask != _ALL and subtask not in known:
        raise ConfigError(f"--subtask {subtask}: expected a number from 1 to 20, or all")
    return [int(number) for number in (known if subtask == _ALL else [subtask])]


def _files(
    numbers: list[int], split: SplitName | Literal["all"], count: int | None, out: Path
) -> list[_File]:
    from rumcli.tasks.babi import task_names

    return [
        _File(out / task_names.file_name(number, name), number, name, count or _COUNTS[name])
        for number in numbers
        for name in (_PUBLISHED if split == _ALL else [split])
    ]


def _check(files: list[_File], out: Path, force: bool) -> None:
    """Check that all files can be written, and create their directory."""
    try:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file; expected a folder")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"can't make {out}: {error.strerror or error}") from error
    for file in files:
        console.check_new_file(file.path, force)


def _write(files: list[_File], seed: int, out: Path, force: bool) -> list[BabiFile]:
    """Write all files to temporary paths, then move them into place; return their descriptions."""
    written = []
    with contextlib.ExitStack() as stack:
        say = stack.enter_context(console.status())
        for number, file in enumerate(files, 1):
            if len(files) > len(_PUBLISHED):
                say(f"{number} of {len(files)}: {file.path.name}")
            target = stack.enter_context(console.new_file(file.path, force))
            written.append(_write_stories(file, seed, target.write))
            target.flush()  # detects a full disk before the first file is moved
    return written


def _write_stories(file: _File, seed: int, write: Callable[[bytes], Any]) -> BabiFile:
    from rumcli.json_schemas.data import BabiFile
    from rumcli.tasks.babi.generator import story_generator

    digest = hashlib.sha256()
    stories = size = 0
    for story in story_generator.generate(file.subtask, seed, file.split, file.questions):
        text = story.text(file.subtask).encode()
        write(text)
        digest.update(text)
        stories += 1
        size += len(text)
    return BabiFile(
        path=str(file.path),
        subtask=file.subtask,
        split=file.split,
        questions=file.questions,
        stories=stories,
        bytes=size,
        sha256=digest.hexdigest(),
    )
