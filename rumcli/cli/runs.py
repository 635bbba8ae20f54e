"""`rum runs`: the runs of a directory and their states."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import output_dirs, signals
from rumcli.cli import _options
from rumcli.errors import ConfigError
from rumcli.reporting import console as output

if TYPE_CHECKING:
    from rumcli.json_schemas.analysis import ListedRun

_DEFAULT = Path("runs")
_SECONDS_BETWEEN = 2.0  # between two readings
_SECONDS_TO_STOP = 0.1


def runs(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DIR...",
            help="Directories of runs, including sweeps and tables, or run directories. Default: "
            "runs.",
        ),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh the table every two seconds until Ctrl-C.")
    ] = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """List runs with state, progress and metric, the most recently changed last.

    A finished run is shown with its test metric, any other run with its best validation.
    """
    if watch and as_json:
        raise ConfigError("--watch and --json are mutually exclusive")
    if watch and not output.is_terminal():
        raise ConfigError("--watch: stdout is not a terminal; leave out --watch")
    places = directories or [_DEFAULT]
    for directory in directories or ():
        _check(directory)
    listed, reasons = _read(places)
    for reason in reasons:
        output.note(f"left out: {reason}")
    if as_json:
        from rumcli.json_schemas.analysis import RunList

        output.show_document(RunList(runs=listed))
        return
    if not watch and not listed and not _DEFAULT.exists() and not directories:
        output.note("there is no directory 'runs' yet; to create a run: rum train recall")
    _show(places, listed, watch)


def _check(directory: Path) -> None:
    if not output_dirs.exists(directory):
        raise ConfigError(f"there is no directory {directory}; expected a directory of runs")
    if not directory.is_dir():
        raise ConfigError(f"{directory} is not a directory; expected a directory of runs")


def _read(directories: list[Path]) -> tuple[list[ListedRun], list[str]]:
    from rumcli.analysis import comparison

    return comparison.list_runs(
        list(dict.fromkeys(run for one in directories for run in comparison.find_runs(one)))
    )


def _show(directories: list[Path], listed: list[ListedRun], watch: bool) -> None:
    from rumcli.reporting.run_tables import RunsTable

    if watch:
        listed = _watch(directories, listed)
    output.show(RunsTable(listed))


def _watch(directories: list[Path], listed: list[ListedRun]) -> list[ListedRun]:
    """Refresh the table until a signal arrives; return its last content."""
    from rumcli.reporting.formatting import LiveDisplay
    from rumcli.reporting.run_tables import RunsTable

    received: list[int] = []
    # No message: the loop ends sooner.
    response = signals.Response("ending", delay=5.0, patience=10.0, note=received.append)
    console = output.stdout()
    display = LiveDisplay(console)
    with signals.responding(response):
        display.start()
        try:
            while not received:
                display.change(RunsTable(listed, console.height))
                until = time.monotonic() + _SECONDS_BETWEEN
                while not received and time.monotonic() < until:
                    time.sleep(_SECONDS_TO_STOP)
                if not received:
                    listed, _ = _read(directories)
        finally:
            display.remove()
    return listed
