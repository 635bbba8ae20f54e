"""`rum cells` and `rum tasks`: the names that `rum train` takes, with their options and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import options
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.config.catalog import Entry


def cells(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="CELL",
            help="Show this cell with the defaults and the values of its options.",
            autocompletion=options.completing(options.cells),
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List the cells: a sentence, the options and the paper of each."""
    from rumcli.documents.configurations import CellList, CellRow

    found = _chosen("cell", name)
    if as_json:
        output.show_document(CellList(cells=[CellRow(**_common(entry)) for entry in found]))
    else:
        _show("cells", found, name)


def tasks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="Show this task with the defaults and the values of its options.",
            autocompletion=options.completing(options.tasks),
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """List the tasks: a sentence, the options, the presets and the paper of each."""
    from rumcli.documents.configurations import TaskList, TaskRow

    found = _chosen("task", name)
    if as_json:
        rows = [
            TaskRow(**_common(entry), metrics=entry.metrics, presets=entry.presets)
            for entry in found
        ]
        output.show_document(TaskList(tasks=rows))
    else:
        _show("tasks", found, name)


def _chosen(section: str, name: str | None) -> list[Entry]:
    from rumcli.config import catalog

    found = catalog.entries(section)
    if name is None:
        return found
    known = options.choose(section.upper(), section, name, [entry.name for entry in found])
    return [entry for entry in found if entry.name == known]


def _common(entry: Entry) -> dict[str, object]:
    from rumcli.documents.configurations import OptionRow

    return {
        "name": entry.name,
        "description": entry.description,
        "source": entry.source,
        "options": [OptionRow.model_validate(option) for option in entry.options],
    }


def _show(title: str, found: list[Entry], name: str | None) -> None:
    from rumcli.reporting import catalog

    output.show(catalog.listing(title, found) if name is None else catalog.details(found[0]))
