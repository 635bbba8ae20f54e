"""`rum cells` and `rum tasks`: names for `rum train`, with their options and papers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import _options
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.config.catalog import Entry


def cells(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="CELL",
            help="Show this cell with the defaults and the values of its options.",
            autocompletion=_options.completing(_options.cells),
        ),
    ] = None,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """List the cells with their summary, options and paper."""
    from rumcli.json_schemas.inputs import CellList, CellRow

    entries = _chosen("cell", name)
    if as_json:
        console.show_document(CellList(cells=[CellRow(**_common(entry)) for entry in entries]))
    else:
        _show("cells", entries, name)


def tasks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="Show this task with the defaults and the values of its options.",
            autocompletion=_options.completing(_options.tasks),
        ),
    ] = None,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """List the tasks with their summary, options, presets and paper."""
    from rumcli.json_schemas.inputs import TaskList, TaskRow

    entries = _chosen("task", name)
    if as_json:
        rows = [
            TaskRow(**_common(entry), metrics=entry.metrics, presets=entry.presets)
            for entry in entries
        ]
        console.show_document(TaskList(tasks=rows))
    else:
        _show("tasks", entries, name)


def _chosen(section: str, name: str | None) -> list[Entry]:
    from rumcli.config import catalog

    entries = catalog.entries(section)
    if name is None:
        return entries
    matched = _options.choose(section.upper(), section, name, [entry.name for entry in entries])
    return [entry for entry in entries if entry.name == matched]


def _common(entry: Entry) -> dict[str, Any]:
    from rumcli.json_schemas.inputs import OptionRow

    return {
        "name": entry.name,
        "description": entry.description,
        "source": entry.source,
        "options": [OptionRow.model_validate(option) for option in entry.options],
    }


def _show(title: str, entries: list[Entry], name: str | None) -> None:
    from rumcli.reporting import input_tables

    console.show(
        input_tables.entry_list(title, entries)
        if name is None
        else input_tables.entry_details(entries[0])
    )
