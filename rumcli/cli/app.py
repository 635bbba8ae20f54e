"""The `rum` command: its subcommands, error messages and exit codes."""

from __future__ import annotations

import atexit
import functools
import importlib
import io
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import typer

from rumcli import __version__, plugins, signals
from rumcli.cli import _options
from rumcli.errors import RumError, Stopped, is_out_of_memory
from rumcli.reporting import console

_SIGNALS = 128  # offset of exit codes for signals
_INTERRUPTED = _SIGNALS + 2

_RUNS, _DATA, _HERE = "Runs", "Data and settings", "This installation"
# Name, module and function of each command, its panel, and the first paragraph of its docstring,
# with which `rum --help` lists it without importing its module.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "train": (
        "train:train",
        _RUNS,
        "Train a cell on a task, and score it relative to the task's baseline.",
    ),
    "sweep": (
        "sweep:sweep",
        _RUNS,
        "Train at every point of a grid, random or Bayesian search, with several seeds.",
    ),
    "reproduce": (
        "reproduce:reproduce",
        _RUNS,
        "Run the models of a published table, and compare our results with those of the paper.",
    ),
    "runs": (
        "runs:runs",
        _RUNS,
        "List runs with state, progress and metric, the most recently changed last.",
    ),
    "eval": (
        "evaluate:evaluate",
        _RUNS,
        "Evaluate a run on a split, and compare it with the task's baseline.",
    ),
    "generate": (
        "generate:generate",
        _RUNS,
        "Generate text, character by character, from the weights of a run.",
    ),
    "compare": (
        "compare:compare",
        _RUNS,
        "List runs, best first, with the differences between their configurations.",
    ),
    "report": (
        "report:report",
        _RUNS,
        "Write a report on runs of one task as one HTML page.",
    ),
    "export": (
        "export:export",
        _RUNS,
        "Write a run's model for inference, load it again, and compare its outputs on real data.",
    ),
    "import-checkpoint": (
        "import_checkpoint:import_checkpoint",
        _RUNS,
        "Import the weights of a checkpoint of the original RUM, and write a RUM for use in Keras.",
    ),
    "plot": (
        "plot:plot",
        _RUNS,
        "Draw the validations of one or more runs, with their task's baseline.",
    ),
    "inspect": (
        "inspect:inspect",
        _RUNS,
        "Show the behavior of a run's cells on an example, and the loss around its weights.",
    ),
    "cells": (
        "registries:cells",
        _DATA,
        "List the cells with their summary, options and paper.",
    ),
    "tasks": (
        "registries:tasks",
        _DATA,
        "List the tasks with their summary, options, presets and paper.",
    ),
    "data": (
        "data:data",
        _DATA,
        "Show the splits of a text or of stories, their overlap, and the size of a run on them.",
    ),
    "gen-data": (
        "gen_data:app",
        _DATA,
        "Write a task's data: generated examples to a file or stdout, babi and ptb to a directory.",
    ),
    "presets": (
        "presets:app",
        _DATA,
        "List, show or copy the presets.",
    ),
    "doctor": (
        "doctor:doctor",
        _HERE,
        "Show versions, backend, devices, memory, problems, and a short speed test.",
    ),
    "rotation-check": (
        "rotation_check:rotation_check",
        _HERE,
        "Check norms, angles, gradients and degenerate inputs of the rotations.",
    ),
    "bench": (
        "bench:bench",
        _HERE,
        "Time forward, backward and update of RUM and ARUM, compared with Keras's GRU and LSTM.",
    ),
}


class _Commands(Mapping[str, Any]):
    """Commands by name, each imported when it is used."""

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)

    def __getitem__(self, name: str) -> Any:
        if name not in _COMMANDS:
            raise KeyError(name)
        return _loaded(name)


@functools.cache
def _loaded(name: str) -> Any:
    place, panel, _ = _COMMANDS[name]
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(f"rumcli.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)
        single.command(name, cls=_options.Command, epilog=_options.epilog(name))(found)
        found = single
    command: Any = typer.main.get_command(found)
    command.name, command.rich_help_panel = name, panel
    return command


class _Root(_options.CommandGroup):
    """The command `rum`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]
        self._lists = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help, in which the commands are listed without importing them."""
        self._lists = True
        super().format_help(ctx, formatter)
        self._lists = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or while listing only its name, panel and summary."""
        if not self._lists:
            return super().get_command(ctx, cmd_name)
        _, panel, summary = _COMMANDS[cmd_name]
        return _options.Command(cmd_name, help=summary, rich_help_panel=panel)


_MARKUP: Literal["rich"] = "rich"
app = typer.Typer(
    name="rum",
    cls=_Root,
    help="Train and examine the Rotational Unit of Memory (arXiv:1710.09537).",
    epilog="First steps: rum train recall --delay 30, then rum compare runs",
    no_args_is_help=True,
    rich_markup_mode=_MARKUP,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_requested: bool) -> None:
    if is_requested:
        console.show_text(f"rum {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version."),
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `rum` and return its exit code: 0, 1 for a failed run, 2 for a usage error.

    Args:
        arguments: Arguments after `rum`; None for those of the process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, standalone_mode=False, prog_name="rum")
    except Stopped as stopped:
        console.note(stopped.message)
        return 128 + stopped.signal
    except SystemExit as error:  # of stopped runs, which have printed their message
        return error.code if isinstance(error.code, int) else 1
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        return 1  # the reader of the output, such as `head`, has closed it
    except Exception as error:
        if "--debug" in arguments:
            console.note(traceback.format_exc())
        if signals.ended_by() is None:
            message, code = _explain(error)
            console.complain(message)
            return code
    # Typer converts Ctrl-C to an exit code, and an interrupted import may raise any exception.
    number = signals.ended_by()
    if number is not None or code == _INTERRUPTED:
        console.complain("interrupted")
        return _INTERRUPTED if number is None else _SIGNALS + number
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> tuple[str, int]:
    """Return a one-line message for an error, and the exit code."""
    if isinstance(error, RumError):
        return str(error), error.exit_code
    if isinstance(error, typer.TyperException):
        return _usage_message(error), 2
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}", 1
    if is_out_of_memory(error):
        return "out of memory: this command needs more memory than is free", 1
    whose = "".join(f"in {path}, or " for path in plugins.trusted_objects())
    return (
        f"{type(error).__name__}: {str(error)[:300]} "
        f"({whose}a bug; run again with --debug for the traceback)"
    ), 1


def _usage_message(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "rum"
    # Without a command, Typer has already shown the help, and its message is empty.
    message = " ".join(error.format_message().split()).rstrip(".") or "a command is missing"
    return f"{message[:1].lower()}{message[1:]}; see '{path} --help'"


def run() -> None:
    """Run `rum` and exit; `rumcli.__main__` has installed the signal handlers."""
    signals.install()
    # Print ? and \xff for characters that the terminal cannot encode, instead of a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=console.UNENCODABLE)
    code = _flush(main())
    signals.uninstall()
    distribution = sys.modules.get("rumcli.training.distribution")
    if distribution is not None and distribution.has_joined():
        os._exit(code)  # JAX would wait for other processes, which may have exited
    if code > _SIGNALS:  # TensorFlow may take many seconds to free its memory
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def _flush(code: int) -> int:
    """Flush stdout and stderr, which may fail for a full disk or a closed pipe.

    Without this, Python flushes them at exit, prints its own error and exits with 120.

    Args:
        code: Exit code of the command.

    Returns:
        The exit code: 1 if the command succeeded but its output was lost.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # it was closed at startup
            continue
        try:
            stream.flush()
        except OSError as error:
            if stream is sys.stdout and code == 0:
                code = 1
                if not isinstance(error, BrokenPipeError):
                    console.complain(_explain(error)[0])
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code
