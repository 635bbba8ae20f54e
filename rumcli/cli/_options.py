"""Options shared by several commands, the completion of their values, and the examples in the help.

Names are loaded on demand: `rum --help` does not need them, and importing pydantic takes longer
than all its other imports. `docs/cli.md` shows the examples, too.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import shutil
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from rumcli import atomic_io, errors, parsing
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rumcli.config import KeyPath, LoggerName
    from rumcli.data.splits import SplitName
    from rumcli.json_schemas.base import Document
    from rumcli.tasks.example_files import Format
    from rumcli.training.lock import Owner

Name = TypeVar("Name", bound=str)
Function = TypeVar("Function", bound=Callable[..., Any])
FilePath = str | os.PathLike[str]

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
    "doctor": ("rum doctor", "rum doctor --markdown", "rum doctor --no-speed --json"),
    "rotation-check": ("rum rotation-check", "rum rotation-check --dim 64"),
    "bench": (
        "rum bench --task recall",
        "rum bench --backend tensorflow --backend jax --json",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Option:
    """Option of a command, and argument of the Python function with its name.

    Attributes:
        kind: Type of the value on the command line.
        typed: Names, help and parser on the command line, as `typer.Option` or `typer.Argument`.
        default: Value of an option that is not given.
        doc: Description of the Python argument, where it differs from the help.
        key: Key path of the configuration that the option sets; empty for none.
        convert: Function that converts a Python argument to the form of the command line.
    """

    kind: Any
    typed: Any
    default: Any = None
    doc: str = ""
    key: KeyPath = ()
    convert: Callable[[Any], Any] = lambda value: value

    def spelling(self, name: str) -> str:
        """Return the option as typed, given its name in Python."""
        if isinstance(self.typed, typer.models.ArgumentInfo):
            return str(self.typed.metavar)
        typed = [self.typed.default, *(self.typed.param_decls or ())]
        return next(
            (name_or_flag for name_or_flag in typed if isinstance(name_or_flag, str)),
            f"--{name.replace('_', '-')}",
        )

    @property
    def description(self) -> str:
        """Description for Python, in which options have the names of arguments."""
        text = self.doc or self.typed.help
        return re.sub(r"--([a-z][a-z-]*)", lambda m: f"`{m[1].replace('-', '_')}`", text)


@functools.cache
def declared(options: type) -> Mapping[str, Option]:
    """Return the options that a `TypedDict` declares, by name."""
    hints = get_type_hints(options, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def converted(options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that have a value or a default, in the form of the command line.

    Args:
        options: `TypedDict` that declares them.
        given: Options of the command, or arguments of the function.

    Raises:
        ConfigError: If an argument of the function is unknown.
    """
    for name in given:
        if name not in declared(options):
            raise ConfigError(errors.unknown("argument", name, declared(options)))
    values = {name: given.get(name, one.default) for name, one in declared(options).items()}
    return {n: declared(options)[n].convert(v) for n, v in values.items() if v is not None}


def takes(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that passes the declared options to a command as its first argument.

    Args:
        options: `TypedDict` that declares them. They precede the options of the command itself.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        declared_options = declared(options)
        shared = [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=option.default,
                annotation=Annotated[option.kind, option.typed],
            )
            for name, option in declared_options.items()
        ]
        parameters = [*inspect.signature(command, eval_str=True).parameters.values()][1:]
        required = [parameter for parameter in parameters if parameter.default is parameter.empty]
        signature = inspect.Signature([*required, *shared, *parameters[len(required) :]])

        @functools.wraps(command)
        def run(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            given = {name: bound.arguments.pop(name) for name in declared_options}
            command(given, **bound.arguments)

        run.__signature__ = signature  # type: ignore[attr-defined]
        run.__annotations__ = {}  # Typer would look for the parameters of `command`
        return run

    return decorate


def documents(options: type) -> Callable[[Function], Function]:
    """Return a decorator that describes the declared options in `help` and `inspect.signature`.

    Args:
        options: `TypedDict` that types the keyword arguments `**options` of the function, whose
            line in the docstring is replaced by one line for each option.
    """

    def decorate(function: Function) -> Function:
        hints = get_type_hints(options)
        declared_options = declared(options)
        names = [*inspect.signature(function).parameters.values()]
        shared = [parameter for parameter in names if parameter.kind is parameter.POSITIONAL_ONLY]
        last = [parameter for parameter in names if parameter.kind is parameter.KEYWORD_ONLY]
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=hints[name],
            )
            for name, option in declared_options.items()
            if name not in [parameter.name for parameter in shared]
        ]
        function.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*shared, *added, *last],
            return_annotation=inspect.signature(function).return_annotation,
        )
        lines = "\n".join(
            f"{parameter.name}: {declared_options[parameter.name].description}"
            for parameter in added
        )
        function.__doc__ = re.sub(
            r"( *)\*\*options:[^\n]*",
            lambda found: textwrap.indent(lines, found[1]),
            function.__doc__ or "",
        )
        return function

    return decorate


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error instead of one line.")
]

Quiet = Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")]

Force = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]

Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME>=NUMBER",
        help="Exit with 1 if a metric misses the threshold, such as 'accuracy>=0.95'; "
        "also <=, > and <. May be repeated.",
    ),
]


class _PlainFlags:
    """Help formatter mixin that omits the type of flags, which take no value.

    On a narrow terminal, the help has no boxes, in which long words would be cut.
    """

    narrow: int  # width in columns below which a terminal is narrow
    epilog: str | None
    rich_markup_mode: Any

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters, including `--help`."""
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if getattr(param, "is_flag", False) and param.metavar is None:
                param.metavar = ""
        return params

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help in boxes, or as plain text on a narrow terminal."""
        is_narrow = shutil.get_terminal_size().columns < self.narrow
        mode = self.rich_markup_mode
        self.rich_markup_mode = None if is_narrow else mode
        super().format_help(ctx, formatter)  # type: ignore[misc]
        self.rich_markup_mode = mode

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, one on each line, to plain help."""
        formatter.write_paragraph()
        for line in (self.epilog or "").replace(r"\[", "[").splitlines():
            formatter.write(f"  {line}\n")


NO_VALUE = "\0"  # of an option that was given without its optional value


class Command(_PlainFlags, TyperCommand):
    """Command of `rum`. An option whose metavar is in brackets may be given without a value."""

    narrow = 80

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, after adding `NO_VALUE` for each omitted value."""
        names = {
            name for param in self.params if str(param.metavar)[:1] == "[" for name in param.opts
        }
        end = args.index("--") if "--" in args else len(args)
        filled = []
        for place, word in enumerate(args):
            filled.append(word)
            is_alone = place + 1 >= end or args[place + 1].startswith("-")
            if word in names and place < end and is_alone:
                filled.append(NO_VALUE)
        return super().parse_args(ctx, filled)


class CommandGroup(_PlainFlags, TyperGroup):
    """Group of commands."""

    narrow = 56


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
    from rumcli.tasks import registry

    return registry.names()


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
    from rumcli.config import catalog

    return catalog.preset_names()


def tables() -> list[str]:
    """Return the names of the tables."""
    from rumcli.config import catalog

    return catalog.shipped("table")


def sweeps() -> list[str]:
    """Return the names of the sweeps."""
    from rumcli.config import catalog

    return catalog.shipped("sweep")


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


def checkpoint() -> Any:
    """Return the option that selects a checkpoint."""
    return typer.Option(
        help="best (by validation) or last.", autocompletion=completing(lambda: CHECKPOINTS)
    )


CheckpointOption = Annotated[str, checkpoint()]


def choose(flag: str, kind: str, name: str, known_names: Iterable[Name]) -> Name:
    """Return the known name that matches, ignoring case.

    Raises:
        ConfigError: If none matches; the message suggests the nearest known name.
    """
    names = list(known_names)
    meant = parsing.name(name, names)
    for known in names:
        if known == meant:
            return known
    where = errors.option(flag, meant)
    raise ConfigError(f"{where}: {errors.unknown(kind, meant, names)}")


def at_least(flag: str, lowest: int, value: int) -> int:
    """Return `value` if it is at least `lowest`.

    Raises:
        ConfigError: If it is lower.
    """
    if value < lowest:
        raise ConfigError(f"{errors.option(flag, value)}: expected at least {lowest}")
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
        where = errors.option(flag, path)
        raise ConfigError(f"{where}: expected a name that ends in .{', .'.join(PLOT_KINDS)}")
    console.check_new_file(path, force)
    return kind


def examples_of(command: str) -> tuple[str, ...]:
    """Return the examples of a command.

    Args:
        command: Name of the command without `rum`, such as `presets list`. A command without
            examples of its own is `gen-data` for a task with numbered examples.
    """
    if command in _EXAMPLES:
        return _EXAMPLES[command]
    return f"rum {command} --count 3", f"rum {command} --split test --out test.npz"


def epilog(command: str) -> str:
    """Return the epilog of a command's help.

    Args:
        command: Name of the command without `rum`, such as `presets list`.
    """
    lines = (line.replace("[", r"\[") for line in examples_of(command))  # a bracket starts markup
    return "\n".join(["Examples:", *lines])
