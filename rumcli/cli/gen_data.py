"""`rum gen-data`: write examples or the text of a task to files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _examples, _options, gen_data_babi, gen_data_ptb
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.base import Document
    from rumcli.tasks.example_files import Examples
    from rumcli.tasks.example_files import Format as ExampleFormat

app = typer.Typer(
    cls=_options.CommandGroup,
    help="Write a task's data: copying or recall examples to a file or stdout, babi and ptb to a "
    "folder.",
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
    int | None, _options.integer("T of the task, in time steps. Default: the preset's.")
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
        help="npz, jsonl or txt. Default: as the file's name ends; on stdout jsonl.",
        autocompletion=_options.completing(_options.formats),
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


@app.command(cls=_options.Command, epilog=_examples.epilog("gen-data copying"))
def copying(
    out: Out = None,
    count: Count = 1000,
    delay: Delay = None,
    split: Split = "train",
    seed: Seed = None,
    format_: Format = None,
    force: Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Write the copying examples used in training; the same seed gives the same examples."""
    _write_examples("copying", out, count, delay, split, seed, format_, force, as_json)


@app.command(cls=_options.Command, epilog=_examples.epilog("gen-data recall"))
def recall(
    out: Out = None,
    count: Count = 1000,
    delay: Delay = None,
    split: Split = "train",
    seed: Seed = None,
    format_: Format = None,
    force: Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Write the recall examples used in training; the same seed gives the same examples."""
    _write_examples("recall", out, count, delay, split, seed, format_, force, as_json)


app.command("babi", cls=_options.Command, epilog=_examples.epilog("gen-data babi"))(
    gen_data_babi.babi
)
app.command("ptb", cls=_options.Command, epilog=_examples.epilog("gen-data ptb"))(gen_data_ptb.ptb)


def _write_examples(
    task: str,
    out: Path | None,
    count: int,
    delay: int | None,
    split: str,
    seed: int | None,
    format_: str | None,
    force: bool,
    as_json: bool,
) -> None:
    chosen = _options.choose("--split", "split", split, _options.splits())
    _options.at_least("--count", 1, count)
    from rumcli import config
    from rumcli.tasks import example_files

    run = config.build(
        None, [], {("task", "name"): task, ("task", "delay"): delay, ("seed",): seed}
    )
    out = None if out == Path("-") else out
    if as_json and out is None:
        raise ConfigError("--json needs a file for the examples: --out FILE")
    name = _format(format_, out)
    assert isinstance(run.task, config.CopyingConfig | config.RecallConfig)
    examples = example_files.Examples(task, run.seed, chosen, count, run.task.delay)
    if out is not None:
        with console.new_file(out, force) as file:
            example_files.write(examples, name, file)
        console.note(f"wrote {count} examples to {out}")
        if as_json:
            console.show_document(_describe(examples, name, out))
    elif name == "npz":
        raise ConfigError("--format npz needs a file: --out FILE.npz")
    else:
        example_files.write(examples, name, console.binary_stdout())


def _describe(examples: Examples, name: ExampleFormat, path: Path) -> Document:
    from rumcli.json_schemas.data import CopyingExamples, RecallExamples

    with path.open("rb") as file:  # npz is not written sequentially
        digest = hashlib.file_digest(file, "sha256")
    models: dict[str, type[CopyingExamples | RecallExamples]] = {
        "copying": CopyingExamples,
        "recall": RecallExamples,
    }
    return models[examples.task](
        path=str(path),
        format=name,
        split=examples.split,
        seed=examples.seed,
        delay=examples.delay,
        count=examples.count,
        bytes=path.stat().st_size,
        sha256=digest.hexdigest(),
    )


def _format(asked: str | None, out: Path | None) -> ExampleFormat:
    known = _options.formats()
    if asked is not None:
        return _options.choose("--format", "format", asked, known)
    if out is None:
        return "jsonl"
    suffix = out.suffix.removeprefix(".").lower()
    for name in known:
        if name == suffix:
            return name
    raise ConfigError(f"--out {out}: which format? Add --format {', '.join(known)}")
