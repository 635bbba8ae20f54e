"""`rum gen-data`: write examples of a task to a file, or to stdout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import options
from rumcli.errors import ConfigError
from rumcli.reporting import output


def gen_data(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="copying or recall.",
            autocompletion=options.completing(options.tasks),
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, or - for stdout. Default: stdout; npz needs a file."),
    ] = None,
    count: Annotated[int, options.integer("Number of examples.")] = 1000,
    delay: Annotated[
        int | None, options.integer("T of the task, in time steps. Default: the preset's.")
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="train, validation or test.",
            autocompletion=options.completing(options.splits),
        ),
    ] = "train",
    seed: Annotated[int | None, options.integer("Seed of the data. Default: 1.")] = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="npz, jsonl or txt. Default: as the file's name ends; on stdout jsonl.",
            autocompletion=options.completing(options.formats),
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write the examples that training would see: the same seed gives the same examples."""
    options.choose("--split", "split", split, options.splits())
    options.at_least("--count", 1, count)
    from rumcli import config
    from rumcli.data import export

    run = config.build(
        None, [], {("task", "name"): task, ("task", "delay"): delay, ("seed",): seed}
    )
    out = None if out == Path("-") else out
    name = _format(format_, out)
    examples = export.Examples(run.task.name, run.seed, split, count, run.task.delay)
    if out is not None:
        with output.new_file(out, force) as file:
            export.write(examples, name, file)
        output.note(f"wrote {count} examples to {out}")
    elif name == "npz":
        raise ConfigError("--format npz needs a file: --out FILE.npz")
    else:
        export.write(examples, name, output.binary_stdout())


def _format(asked: str | None, out: Path | None) -> str:
    known = options.formats()
    if asked is not None:
        return options.choose("--format", "format", asked, known)
    if out is None:
        return "jsonl"
    suffix = out.suffix.removeprefix(".")
    if suffix not in known:
        raise ConfigError(f"--out {out}: which format? Add --format {', '.join(known)}")
    return suffix
