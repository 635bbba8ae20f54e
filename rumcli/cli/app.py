"""The `rum` command: its subcommands, error messages and exit codes."""

from __future__ import annotations

import atexit
import io
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from rumcli import __version__, plugins, signals
from rumcli.cli import (
    _options,
    _training,
    bench,
    compare,
    data,
    doctor,
    evaluate,
    export,
    gen_data,
    generate,
    import_checkpoint,
    inspect,
    plot,
    presets,
    registries,
    report,
    reproduce,
    rotation_check,
    runs,
    sweep,
    train,
)
from rumcli.errors import RumError, is_out_of_memory
from rumcli.reporting import console

_SIGNALS = 128  # offset of exit codes for signals
_INTERRUPTED = _SIGNALS + 2

app = typer.Typer(
    name="rum",
    cls=_options.CommandGroup,
    help="Train and examine the Rotational Unit of Memory (arXiv:1710.09537).",
    epilog="First steps: rum train copying --cell arum --norm 2.0",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _add(name: str, command: Callable[..., None], panel: str) -> None:
    app.command(name, cls=_options.Command, rich_help_panel=panel, epilog=_options.epilog(name))(
        command
    )


_RUNS, _DATA, _HERE = "Runs", "Data and settings", "This installation"
_add("train", train.train, _RUNS)
_add("sweep", sweep.sweep, _RUNS)
_add("reproduce", reproduce.reproduce, _RUNS)
_add("runs", runs.runs, _RUNS)
_add("eval", evaluate.evaluate, _RUNS)
_add("generate", generate.generate, _RUNS)
_add("compare", compare.compare, _RUNS)
_add("report", report.report, _RUNS)
_add("export", export.export, _RUNS)
_add("import-checkpoint", import_checkpoint.import_checkpoint, _RUNS)
_add("plot", plot.plot, _RUNS)
_add("inspect", inspect.inspect, _RUNS)
_add("cells", registries.cells, _DATA)
_add("tasks", registries.tasks, _DATA)
_add("data", data.data, _DATA)
app.add_typer(gen_data.app, name="gen-data", rich_help_panel=_DATA)
app.add_typer(presets.app, name="presets", rich_help_panel=_DATA)
_add("doctor", doctor.doctor, _HERE)
_add("rotation-check", rotation_check.rotation_check, _HERE)
_add("bench", bench.bench, _HERE)


def _show_version(asked: bool) -> None:
    if asked:
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
    except _training.Stopped as stopped:
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
        return "out of memory: this command needs more than is free", 1
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
