"""Tables of the registered cells and tasks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rumcli.config.catalog import Entry, Option

_OWN = {"cells": "a layer", "tasks": "a task"}


def listing(title: str, entries: Sequence[Entry]) -> RenderableType:
    """Show cells or tasks as a list, which leaves room for their many options."""
    table = Table(title=title, title_justify="left", show_header=False, show_lines=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for entry in entries:
        table.add_row(entry.name, Text("\n").join(_lines(entry)))
    table.caption = (
        f"rum {title} NAME shows the defaults and the values of the options; {_OWN[title]} of "
        "your own is named package.module:Class"
    )
    table.caption_justify = "left"
    return table


def details(entry: Entry) -> RenderableType:
    """Show a cell or a task with the values and defaults of its options."""
    table = Table(title_justify="left")
    table.add_column("option", no_wrap=True)
    table.add_column("default", overflow="fold")
    table.add_column("values", overflow="fold")
    for option in entry.options:
        meaning = f"{option.values}; {option.description}" if option.description else option.values
        table.add_row(Text(option.name), Text(_default(option)), Text(meaning))
    head = [line for line in _lines(entry) if not line.plain.startswith("options: ")]
    return Group(Text(entry.name, style="bold"), *head, table)


def _lines(entry: Entry) -> list[Text]:
    lines = [entry.description, f"options: {', '.join(one.name for one in entry.options)}"]
    if entry.metrics:
        lines.append(f"metrics: {', '.join(entry.metrics)}")
    if entry.presets:
        lines.append(f"presets: {', '.join(entry.presets)}")
    return [Text(line) for line in [*lines, f"source: {entry.source}"]]


def _default(option: Option) -> str:
    if option.default is None:
        return "null"
    if isinstance(option.default, bool):
        return str(option.default).lower()
    if isinstance(option.default, dict):
        return str(option.default["name"])
    return str(option.default)
