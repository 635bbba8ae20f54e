"""`rum compare`: runs in a table, the best first, with what differs in their configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import options
from rumcli.reporting import output


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List runs, the best first, with what differs in their configurations.

    A finished run has the figure of its test, another one that of its best validation.
    """
    from rumcli.training import comparison
    from rumcli.training.run_folder import RunFolder

    groups = comparison.compare([RunFolder.open(path) for path in _once(runs)])
    if as_json:
        output.show_json("compare", {"groups": [group.to_json() for group in groups]})
        return
    from rumcli.reporting.comparison import Comparison

    for group in groups:
        names = options.labels([Path(row.folder) for row in group.rows])
        output.show(Comparison(group, names))


def _once(runs: list[Path]) -> list[Path]:
    """Leave out what was named before, and say so."""
    found: dict[Path, Path] = {}
    for path in runs:
        if (place := path.resolve()) in found:
            output.note(f"{path} was named before; it is listed once")
        found.setdefault(place, path)
    return list(found.values())
