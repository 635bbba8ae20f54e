"""`rum compare`: runs in a table, the best first, with what differs in their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import options, run_folders
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.documents.analysis import ComparedRuns
    from rumcli.reporting.comparison import ComparisonTable


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders of runs.")
    ],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List runs, the best first, with what differs in their configurations.

    A finished run has the figure of its test, another one that of its best validation.
    """
    groups = execute(runs)
    if as_json:
        from rumcli.documents.analysis import Comparison

        output.show_document(Comparison(groups=groups))
        return
    for table in tables(groups):
        output.show(table)


def execute(runs: list[Path]) -> list[ComparedRuns]:
    """Compare runs, without showing the result.

    Args:
        runs: Run directories, or directories of runs.

    Returns:
        A group for each task.

    Raises:
        ConfigError: If one is no run, or its configuration is invalid.
    """
    from rumcli.training import comparison
    from rumcli.training.run_folder import RunFolder

    found = run_folders.find(runs, parts=False)
    return comparison.compare([RunFolder.open(run.path) for run in found])


def tables(groups: list[ComparedRuns]) -> list[ComparisonTable]:
    """Return the table of each group of runs."""
    from rumcli.reporting.comparison import ComparisonTable

    return [
        ComparisonTable(group, options.labels([Path(run.folder) for run in group.runs]))
        for group in groups
    ]
