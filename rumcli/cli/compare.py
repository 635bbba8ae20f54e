"""`rum compare`: runs in a table, the best first, with what differs in their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import options, run_folders
from rumcli.reporting import output


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
    from rumcli.documents.runs import Comparison
    from rumcli.training import comparison
    from rumcli.training.run_folder import RunFolder

    found = run_folders.find(runs, parts=False)
    groups = comparison.compare([RunFolder.open(run.path) for run in found])
    if as_json:
        output.show_document(Comparison(groups=groups))
        return
    from rumcli.reporting.comparison import ComparisonTable

    for group in groups:
        names = options.labels([Path(run.folder) for run in group.runs])
        output.show(ComparisonTable(group, names))
