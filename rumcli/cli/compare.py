"""`rum compare`: a table of runs, best first, with the differences between their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _options, _run_arguments
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.analysis import ComparedRuns
    from rumcli.reporting.run_tables import ComparisonTable


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or directories of runs."),
    ],
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """List runs, best first, with the differences between their configurations.

    A finished run is shown with its test metric, any other run with its best validation.
    """
    groups = execute(runs)
    if as_json:
        from rumcli.json_schemas.analysis import Comparison

        console.show_document(Comparison(groups=groups))
        return
    for table in tables(groups):
        console.show(table)


def execute(runs: list[Path]) -> list[ComparedRuns]:
    """Compare runs, without showing the result.

    Args:
        runs: Run directories, or directories of runs.

    Returns:
        A group for each task.

    Raises:
        ConfigError: If a directory is not a run, or its configuration is invalid.
    """
    from rumcli.analysis import comparison
    from rumcli.training.run_dir import RunDir

    found = _run_arguments.find_run_dirs(runs, parts=False)
    return comparison.compare([RunDir.open(run.path) for run in found])


def tables(groups: Sequence[ComparedRuns]) -> list[ComparisonTable]:
    """Return the table of each group of runs."""
    from rumcli.reporting.run_tables import ComparisonTable

    return [
        ComparisonTable(group, _options.labels([Path(run.folder) for run in group.runs]))
        for group in groups
    ]
