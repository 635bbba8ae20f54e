"""`rum gen-data`: write examples of a task, or the text of one, to files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import babi, examples, options, penn_treebank
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.data.export import Examples
    from rumcli.documents.base import Document

app = typer.Typer(
    cls=options.Group,
    help="Write a task's data: copying or recall examples to a file or stdout, babi and ptb to a "
    "folder.",
    no_args_is_help=True,
    context_settings={"token_normalize_func": str.lower},  # the name of a task, in any case
)

Out = Annotated[
    Path | None,
    typer.Option(
        help="File to write, or - for stdout. Default: stdout; npz and --json need a file."
    ),
]
Count = Annotated[int, options.integer("Number of examples.")]
Delay = Annotated[
    int | None, options.integer("T of the task, in time steps. Default: the preset's.")
]
Split = Annotated[
    str,
    typer.Option(
        help="train, validation or test.",
        autocompletion=options.completing(options.splits),
    ),
]
Seed = Annotated[int | None, options.integer("Seed of the data. Default: 1.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="npz, jsonl or txt. Default: as the file's name ends; on stdout jsonl.",
        autocompletion=options.completing(options.formats),
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that exists.")]


@app.command(cls=options.Command, epilog=examples.epilog("gen-data copying"))
def copying(
    out: Out = None,
    count: Count = 1000,
    delay: Delay = None,
    split: Split = "train",
    seed: Seed = None,
    format_: Format = None,
    force: Force = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write the copying examples that training would see: the same seed gives the same ones."""
    _write_examples("copying", out, count, delay, split, seed, format_, force, as_json)


@app.command(cls=options.Command, epilog=examples.epilog("gen-data recall"))
def recall(
    out: Out = None,
    count: Count = 1000,
    delay: Delay = None,
    split: Split = "train",
    seed: Seed = None,
    format_: Format = None,
    force: Force = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write the recall examples that training would see: the same seed gives the same ones."""
    _write_examples("recall", out, count, delay, split, seed, format_, force, as_json)


app.command("babi", cls=options.Command, epilog=examples.epilog("gen-data babi"))(babi.babi)
app.command("ptb", cls=options.Command, epilog=examples.epilog("gen-data ptb"))(penn_treebank.ptb)


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
    split = options.choose("--split", "split", split, options.splits())
    options.at_least("--count", 1, count)
    from rumcli import config
    from rumcli.data import export

    run = config.build(
        None, [], {("task", "name"): task, ("task", "delay"): delay, ("seed",): seed}
    )
    out = None if out == Path("-") else out
    if as_json and out is None:
        raise ConfigError("--json needs a file for the examples: --out FILE")
    name = _format(format_, out)
    examples = export.Examples(task, run.seed, split, count, run.task.delay)
    if out is not None:
        with output.new_file(out, force) as file:
            export.write(examples, name, file)
        output.note(f"wrote {count} examples to {out}")
        if as_json:
            output.show_document(_describe(examples, name, out))
    elif name == "npz":
        raise ConfigError("--format npz needs a file: --out FILE.npz")
    else:
        export.write(examples, name, output.binary_stdout())


def _describe(examples: Examples, name: str, path: Path) -> Document:
    from rumcli.documents.data import CopyingExamples, RecallExamples

    with path.open("rb") as file:  # npz is not written from its beginning to its end
        digest = hashlib.file_digest(file, "sha256")
    model = {"copying": CopyingExamples, "recall": RecallExamples}[examples.task]
    return model(
        path=str(path),
        format=name,
        split=examples.split,
        seed=examples.seed,
        delay=examples.delay,
        count=examples.count,
        bytes=path.stat().st_size,
        sha256=digest.hexdigest(),
    )


def _format(asked: str | None, out: Path | None) -> str:
    known = options.formats()
    if asked is not None:
        return options.choose("--format", "format", asked, known)
    if out is None:
        return "jsonl"
    suffix = out.suffix.removeprefix(".").lower()
    if suffix not in known:
        raise ConfigError(f"--out {out}: which format? Add --format {', '.join(known)}")
    return suffix
