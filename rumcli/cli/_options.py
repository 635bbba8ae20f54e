"""Options shared by several commands, the completion of their values, and the examples in the help.

Names are loaded on demand: `rum --help` does not need them, and importing pydantic takes longer
than all its other imports. `docs/cli.md` shows the examples, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from rumcli import atomic_io, errors, parsing
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rumcli.config import LoggerName
    from rumcli.data.splits import SplitName
    from rumcli.json_schemas.base import Document
    from rumcli.tasks.example_files import Format
    from rumcli.training.lock import Owner

Name = TypeVar("Name", bound=str)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error instead of one line.")
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME>=NUMBER",
        help="Exit with 1 if a metric misses the threshold, such as 'accuracy>=0.95'; "
        "also <=, > and <. May be repeated.",
    ),
]

PLOT_KINDS = ("png", "svg", "pdf")

_EXAMPLES: dict[str, tuple[str, ...]] = {
    "train": (
        "rum train recall --delay 30",
        "rum train copying --cell lstm --set train.eval_every=100",
        "rum train --resume runs/recall-arum-1 --steps 20000",
    ),
    "sweep": (
        "rum sweep examples/sweep.yaml --dry-run",
        "rum sweep examples/sweep.yaml --jobs 2",
        "rum sweep --results sweeps/sweep-1",
    ),
    "reproduce": (
        "rum reproduce copying --dry-run",
        "rum reproduce recall --jobs 2 --budget 1h",
        "rum reproduce ptb --data data/ptb",
    ),
    "eval": (
        "rum eval runs/recall-arum-1",
        "rum eval runs/recall-arum-1 --split validation --checkpoint last",
        'rum eval runs/recall-arum-1 --require "accuracy>=0.99"',
    ),
    "generate": (
        'rum generate runs/ptb-rum-1 --prompt "the company said"',
        "rum generate runs/ptb-rum-1 --temperature 0.7 --length 500",
    ),
    "compare": (
        "rum compare runs",
        "rum compare runs/recall-arum-1 runs/recall-lstm-1",
    ),
    "runs": (
        "rum runs",
        "rum runs sweeps/sweep-1 --watch",
        "rum runs runs --json",
    ),
    "report": (
        "rum report runs/recall-arum-1 runs/recall-lstm-1",
        "rum report sweeps/sweep-1 --out sweep.html",
        "rum report runs/recall-arum-1 --markdown",
    ),
    "export": (
        "rum export runs/recall-arum-1",
        "rum export runs/recall-arum-1 --format safetensors",
        "rum export runs/recall-arum-1 --format onnx --out recall.onnx",
    ),
    "import-checkpoint": (
        "rum import-checkpoint model.ckpt-1000 --norm 1.0 --out rum.keras",
        "rum import-checkpoint model.ckpt-1000 --activation tanh --json",
    ),
    "plot": (
        "rum plot runs/recall-arum-1 runs/recall-lstm-1",
        "rum plot runs --metric loss --over time --out loss.svg",
    ),
    "inspect": (
        "rum inspect runs/recall-arum-1",
        "rum inspect runs/recall-arum-1 --example 3 --out states.svg",
    ),
    "cells": ("rum cells", "rum cells arum"),
    "tasks": ("rum tasks", "rum tasks recall --json"),
    "data": (
        "rum data data/ptb",
        "rum data book.txt --preset ptb_rum_single",
        "rum data babi-en-10k.tar.xz",
    ),
    "gen-data copying": (
        "rum gen-data copying --count 3",
        "rum gen-data copying --split test --delay 50 --out test.npz",
    ),
    "gen-data recall": (
        "rum gen-data recall --count 3",
        "rum gen-data recall --split test --delay 30 --out test.jsonl",
    ),
    "gen-data babi": (
        "rum gen-data babi --subtask 2",
        "rum gen-data babi --subtask all --seed 2 --out my-babi",
    ),
    "gen-data ptb": (
        "rum gen-data ptb",
        "rum gen-data ptb --out data/ptb --json",
    ),
    "presets list": ("rum presets list", "rum presets list --json"),
    "presets show": (
        "rum presets show recall",
        "rum presets show recall --summary",
        "rum presets show runs/recall-arum-1",
    ),
    "presets copy": (
        "rum presets copy recall",
        "rum presets copy recall mine.yaml --force",
    ),
    "doctor": ("rum doctor", "rum doctor --no-speed --json"),
    "rotation-check": ("rum rotation-check", "rum rotation-check --dim 64"),
    "bench": (
        "rum bench --task recall",
        "rum bench --backend tensorflow --backend jax --json",
    ),
}


class _PlainFlags:
    """Help formatter mixin that omits the type of flags, which take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, including `--help`."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params


class Command(_PlainFlags, TyperCommand):
    """Command of `rum`."""


class CommandGroup(_PlainFlags, TyperGroup):
    """Group of commands."""


def integer(text: str, *names: str) -> Any:
    """Return an integer option with the given help."""
    parser = _parser(_integer, "an integer")
    return typer.Option(*names, help=text, parser=parser, metavar="<int>")


def real(text: str) -> Any:
    """Return a float option with the given help."""
    return typer.Option(help=text, parser=_parser(float, "a number"), metavar="<float>")


def _parser(convert: Callable[[str], Any], expected: str) -> Callable[[Any], Any]:
    # Typer's message does not quote the value.
    def parse(text: Any) -> Any:
        try:
            return convert(text)
        except ValueError as error:
            raise typer.BadParameter(f"expected {expected}, got '{text}'") from error

    return parse


def _integer(text: Any) -> int:
    try:
        return int(text)
    except ValueError:
        number = parsing.integer(float(text))
    if isinstance(number, float):
        raise ValueError(text)
    return number


def subtask(text: str) -> str:
    """Normalize a bAbI subtask: `all`, or the digits of an integer."""
    try:
        return str(_integer(text))
    except ValueError:
        return parsing.name(text, ["all"])


def tasks() -> list[str]:
    """Return the names of the tasks."""
    from rumcli import config

    return config.names("task")


def cells() -> list[str]:
    """Return the names of the cells."""
    from rumcli import config

    return config.names("cell")


def loggers() -> list[LoggerName]:
    """Return the names of the experiment loggers."""
    from rumcli.config import LoggerName

    return list(get_args(LoggerName))


def presets() -> list[str]:
    """Return the names of the presets."""
    from rumcli.config import catalog as shipped

    return shipped.preset_names()


def tables() -> list[str]:
    """Return the names of the tables."""
    from rumcli.reproduction import table_spec

    return table_spec.table_names()


def splits() -> list[SplitName]:
    """Return the names of the splits."""
    from rumcli.data.splits import SplitName

    return list(get_args(SplitName))


def formats() -> list[Format]:
    """Return the file formats of examples."""
    from rumcli.tasks.example_files import FORMATS

    return list(FORMATS)


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a completion function that proposes the names with the typed prefix."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


CHECKPOINTS = ["best", "last"]

CheckpointOption = Annotated[
    str,
    typer.Option(
        help="best (by validation) or last.", autocompletion=completing(lambda: CHECKPOINTS)
    ),
]


def choose(flag: str, kind: str, name: str, known: Iterable[Name]) -> Name:
    """Return the known name that matches, ignoring case.

    Raises:
        ConfigError: If none matches; the message suggests the nearest known name.
    """
    names = list(known)
    meant = parsing.name(name, names)
    for one in names:
        if one == meant:
            return one
    raise ConfigError(f"{flag} {meant}: {errors.unknown(kind, meant, names)}")


def at_least(flag: str, lowest: int, value: int) -> int:
    """Return `value` if it is at least `lowest`.

    Raises:
        ConfigError: If it is lower.
    """
    if value < lowest:
        raise ConfigError(f"{flag} {value}: expected at least {lowest}")
    return value


def labels(runs: Sequence[Path]) -> list[str]:
    """Return the names of run directories, or their full paths if two names are equal."""
    names = [path.resolve().name for path in runs]
    return [
        atomic_io.readable(str(path) if names.count(name) > 1 else name)
        for path, name in zip(runs, names, strict=True)
    ]


@dataclass(frozen=True)
class OutputMode:
    """Output mode selected by --json, --quiet and --debug.

    Attributes:
        as_json: Whether the result is printed as one JSON document.
        quiet: Whether only warnings and errors are shown.
        debug: Whether to show tracebacks and native library messages.
    """

    as_json: bool
    quiet: bool
    debug: bool

    def show(self, document: Document, table: Callable[[dict[str, Any]], RenderableType]) -> None:
        """Print the result to stdout.

        Args:
            document: Result to print.
            table: Function that renders the result as a table.
        """
        if self.as_json:
            console.show_document(document)
        elif not self.quiet:
            console.show(table(document.to_dict()))

    def listener_for(self, owner: Owner | None) -> None:
        """Print a note if the previous process of a run exited without releasing its lock."""
        if owner is not None and not self.quiet:
            console.note(f"{owner} ended without releasing the run; resuming it")


def check_plot_file(flag: str, path: Path, force: bool) -> str:
    """Return the format of a plot file, after checks that need no results.

    Args:
        flag: Option that names the file.
        path: File to write.
        force: Whether to replace an existing file.

    Raises:
        ConfigError: If the suffix is not a supported format, or the file cannot be written.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in PLOT_KINDS:
        raise ConfigError(f"{flag} {path}: expected a name that ends in .{', .'.join(PLOT_KINDS)}")
    console.check_new_file(path, force)
    return kind


def examples_of(command: str) -> tuple[str, ...]:
    """Return the examples of a command.

    Args:
        command: Name of the command without `rum`, such as `presets list`.
    """
    return _EXAMPLES[command]


def epilog(command: str) -> str:
    """Return the epilog of a command's help.

    Args:
        command: Name of the command without `rum`, such as `presets list`.
    """
    lines = (line.replace("[", r"\[") for line in examples_of(command))  # a bracket starts markup
    return "\n".join(["Examples:", *lines])
