"""Options shared by several commands, and completion of their values.

Names are loaded on demand: `rum --help` does not need them, and importing pydantic takes longer
than all its other imports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from rumcli import atomic_io, coercion, messages
from rumcli.errors import ConfigError

if TYPE_CHECKING:
    from rumcli.data.splits import SplitName
    from rumcli.tasks.example_files import Format

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
        number = coercion.integer(float(text))
    if isinstance(number, float):
        raise ValueError(text)
    return number


def subtask(text: str) -> str:
    """Normalize a bAbI subtask: `all`, or the digits of an integer."""
    try:
        return str(_integer(text))
    except ValueError:
        return coercion.name(text, ["all"])


def tasks() -> list[str]:
    """Return the names of the tasks."""
    from rumcli import config

    return config.names("task")


def cells() -> list[str]:
    """Return the names of the cells."""
    from rumcli import config

    return config.names("cell")


def presets() -> list[str]:
    """Return the names of the presets."""
    from rumcli.config import preset_files as shipped

    return shipped.names()


def tables() -> list[str]:
    """Return the names of the tables."""
    from rumcli.reproduction import table

    return table.names()


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
    meant = coercion.name(name, names)
    for one in names:
        if one == meant:
            return one
    raise ConfigError(f"{flag} {meant}: {messages.unknown(kind, meant, names)}")


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
