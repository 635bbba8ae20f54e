"""`rum gen-data`: write generated examples and stories, or the Penn Treebank, to files."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rumcli.cli import _options
from rumcli.errors import ConfigError
from rumcli.reporting import console
from rumcli.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from rumcli.data.splits import SplitName
    from rumcli.json_schemas.base import Document
    from rumcli.json_schemas.inputs import BabiFile
    from rumcli.tasks.char_lm.penn_treebank import TextFile
    from rumcli.tasks.example_files import Examples
    from rumcli.tasks.example_files import Format as ExampleFormat

_ALL: Literal["all"] = "all"
# The published files have no validation split.
_PUBLISHED: tuple[SplitName, ...] = ("train", "test")
_COUNTS = {"train": 10_000, "validation": 1_000, "test": 1_000}

app = typer.Typer(
    cls=_options.CommandGroup,
    help="Write a task's data: generated examples to a file or stdout, babi and ptb to a "
    "directory.",
    no_args_is_help=True,
    context_settings={"token_normalize_func": str.lower},  # task names ignore case
)
Out = Annotated[
    Path | None,
    typer.Option(
        help="File to write, or - for stdout. Default: stdout; npz and --json need a file."
    ),
]
Count = Annotated[int, _options.integer("Number of examples.")]
Delay = Annotated[
    int | None,
    _options.integer("T of copying and recall, in time steps. Default: the preset's."),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Problem of state_tracking, such as A5 or parity. Default: the preset's.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Set an option of the task, as in task.delay=30. May be repeated.",
    ),
]
Split = Annotated[
    str,
    typer.Option(
        help="train, validation or test.",
        autocompletion=_options.completing(_options.splits),
    ),
]
Seed = Annotated[int | None, _options.integer("Seed of the data. Default: 1.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="npz, jsonl or txt. Default: the suffix of the file; jsonl on stdout.",
        autocompletion=_options.completing(_options.formats),
    ),
]


def ptb(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|ARCHIVE|URL",
            help="Source of the text: a directory, a .zip or .tar file, or its http(s) address. "
            "Without it, the command prints the known sources and their terms.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output directory.")] = Path("data/ptb"),
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Verify the three files of Penn Treebank, and copy them into a directory to train on."""
    from rumcli.tasks.char_lm import penn_treebank

    if source is None:
        raise ConfigError(penn_treebank.MISSING_SOURCE)
    files = penn_treebank.FILES
    missing = [file for file in files if not _is_ptb_file_present(file, out, force)]
    if missing:
        with console.status() as report:
            if source.startswith(("http://", "https://")):
                report(f"downloading {source}")
            texts = penn_treebank.read(source, missing)
        _write_ptb(texts, out, force)
        names = ", ".join(texts)
        use = f"to train on it: rum train ptb --data {shlex.quote(str(out))}"
        console.note(f"wrote {names} to {out}; {use}")
    else:
        console.note(f"{out} already has the three files, and they are intact")
    if as_json:
        console.show_document(_ptb_result(files, missing, out))


def _is_ptb_file_present(file: TextFile, directory: Path, force: bool) -> bool:
    """Return whether a directory has a file; raise early if it cannot be written there."""
    try:
        if directory.exists() and not directory.is_dir():
            raise ConfigError(f"--out {directory} is a file; expected a directory")
        if file.is_at(directory / file.name):
            return True
        if directory.is_dir():
            console.check_new_file(directory / file.name, force)
    except OSError as error:
        raise ConfigError(f"can't read {directory / file.name}: {error.strerror}") from error
    return False


def _write_ptb(texts: Mapping[str, bytes], directory: Path, force: bool) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"can't create {directory}: {error.strerror or error}") from error
    with contextlib.ExitStack() as stack:  # moved into place after all are written
        for name, content in texts.items():
            file = stack.enter_context(console.new_file(directory / name, force))
            file.write(content)
            file.flush()


def _ptb_result(files: tuple[TextFile, ...], written: list[TextFile], directory: Path) -> Document:
    from rumcli.json_schemas import inputs

    return inputs.TextFiles(
        folder=str(directory),
        files=[
            inputs.TextFile(
                path=str(directory / file.name),
                bytes=file.size,
                sha256=file.sha256,
                written=file in written,
            )
            for file in files
        ],
    )


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
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory to write to.")] = Path(
        "data/babi"
    ),
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Generate questions about stories as in bAbI; the same seed gives the same questions."""
    from rumcli.json_schemas.inputs import BabiFiles

    split_name: SplitName | Literal["all"] = _options.choose(
        "--split", "split", split, [*_options.splits(), _ALL]
    )
    _options.at_least("--seed", 0, seed)
    if count is not None:
        _options.at_least("--count", 1, count)
    files = _babi_files(_subtask_numbers(subtask), split_name, count, out)
    _check_babi(files, out, force)
    written = _write_babi(files, seed, out, force)
    names = f"{len(files)} files" if len(files) > 2 else " and ".join(f.path.name for f in files)
    console.note(f"wrote {names} to {out}")
    if as_json:
        console.show_document(BabiFiles(folder=str(out), seed=seed, files=written))


def _subtasks() -> list[str]:
    from rumcli.tasks.babi.generator import story_generator

    return [str(number) for number in sorted(story_generator.FAMILIES)]


def _subtask_numbers(subtask: str) -> list[int]:
    formats = _subtasks()
    subtask = _options.subtask(subtask)
    if subtask != _ALL and subtask not in formats:
        raise ConfigError(f"--subtask {subtask}: expected a number from 1 to 20, or all")
    return [int(number) for number in (formats if subtask == _ALL else [subtask])]


def _babi_files(
    numbers: list[int], split: SplitName | Literal["all"], count: int | None, out: Path
) -> list[_File]:
    from rumcli.tasks.babi import stories as babi_stories

    return [
        _File(
            out / babi_stories.subtask_file_name(number, name), number, name, count or _COUNTS[name]
        )
        for number in numbers
        for name in (_PUBLISHED if split == _ALL else [split])
    ]


def _check_babi(files: list[_File], out: Path, force: bool) -> None:
    """Check that all files can be written, and create their directory."""
    try:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file; expected a directory")
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"can't create {out}: {error.strerror or error}") from error
    for file in files:
        console.check_new_file(file.path, force)


def _write_babi(files: list[_File], seed: int, out: Path, force: bool) -> list[BabiFile]:
    """Write all files to temporary paths, then move them into place; return their descriptions."""
    written = []
    with contextlib.ExitStack() as stack:
        report = stack.enter_context(console.status())
        for number, file in enumerate(files, 1):
            if len(files) > len(_PUBLISHED):
                report(f"{number} of {len(files)}: {file.path.name}")
            target = stack.enter_context(console.new_file(file.path, force))
            written.append(_write_stories(file, seed, target.write))
            target.flush()  # detects a full disk before the first file is moved
    return written


def _write_stories(file: _File, seed: int, write: Callable[[bytes], Any]) -> BabiFile:
    from rumcli.json_schemas.inputs import BabiFile
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


def _add(task: str) -> None:
    """Add the command of a task whose examples are numbered."""

    @app.command(
        task,
        cls=_options.Command,
        epilog=_options.epilog(f"gen-data {task}"),
        help=f"Write the {task} examples used in training; the same seed gives the same examples.",
    )
    def command(
        out: Out = None,
        count: Count = 1000,
        delay: Delay = None,
        group: Group = None,
        settings: Settings = None,
        split: Split = "train",
        seed: Seed = None,
        format_: Format = None,
        force: _options.Force = False,
        as_json: _options.Json = False,
        debug: _options.Debug = False,
    ) -> None:
        flags: dict[tuple[str, ...], Any] = {
            ("task", "name"): task,
            ("task", "delay"): delay,
            ("task", "problem"): group,
            ("seed",): seed,
        }
        _write_examples(flags, settings or [], out, count, split, format_, force, as_json)


for _task in registry.with_examples():
    _add(_task)

app.command("babi", cls=_options.Command, epilog=_options.epilog("gen-data babi"))(babi)

app.command("ptb", cls=_options.Command, epilog=_options.epilog("gen-data ptb"))(ptb)


_OPTIONS: dict[tuple[str, ...], str] = {
    ("task", "delay"): "delay",
    ("task", "problem"): "group",
    ("seed",): "seed",
}


def _write_examples(
    flags: dict[tuple[str, ...], Any],
    settings: list[str],
    out: Path | None,
    count: int,
    split: str,
    format_: str | None,
    force: bool,
    as_json: bool,
) -> None:
    split_name = _options.choose("--split", "split", split, _options.splits())
    _options.at_least("--count", 1, count)
    from rumcli import config
    from rumcli.tasks import example_files

    spellings = {
        path: f"--{option} {flags[path]}"
        for path, option in _OPTIONS.items()
        if flags.get(path) is not None
    }
    run = config.build(None, settings, flags, spellings)
    out = None if out == Path("-") else out
    if as_json and out is None:
        raise ConfigError("--json requires a file for the examples: --out FILE")
    name = _format(format_, out)
    examples = example_files.Examples(run.task, run.seed, split_name, count)
    if out is not None:
        with console.new_file(out, force) as file:
            example_files.write(examples, name, file)
        console.note(f"wrote {count} examples to {out}")
        if as_json:
            console.show_document(_describe(examples, name, out))
    elif name == "npz":
        raise ConfigError("--format npz requires a file: --out FILE.npz")
    else:
        example_files.write(examples, name, console.binary_stdout())


def _describe(examples: Examples, name: ExampleFormat, path: Path) -> Document:
    from rumcli.json_schemas.inputs import ExampleFile

    with path.open("rb") as file:  # npz is not written sequentially
        digest = hashlib.file_digest(file, "sha256")
    options = examples.task.model_dump(mode="json")
    return ExampleFile(
        path=str(path),
        format=name,
        task=options.pop("name"),
        options=options,
        split=examples.split,
        seed=examples.seed,
        count=examples.count,
        bytes=path.stat().st_size,
        sha256=digest.hexdigest(),
    )


def _format(requested: str | None, out: Path | None) -> ExampleFormat:
    formats = _options.formats()
    if requested is not None:
        return _options.choose("--format", "format", requested, formats)
    if out is None:
        return "jsonl"
    suffix = out.suffix.removeprefix(".").lower()
    for name in formats:
        if name == suffix:
            return name
    raise ConfigError(f"--out {out}: which format? Add --format {', '.join(formats)}")
