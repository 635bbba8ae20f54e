"""Tables with several layouts, chosen by the width of the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = Sequence[Text | str]


class FirstThatFits:
    """Renderable that selects the first of several layouts that fits, or else the last.

    Args:
        forms: Layouts, in order of preference.
    """

    def __init__(self, *forms: RenderableType) -> None:
        self._forms = forms

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the first layout that fits."""
        unlimited = options.update(max_width=10_000)
        for form in self._forms[:-1]:
            if Measurement.get(console, unlimited, form).maximum <= options.max_width:
                yield form
                return
        yield self._forms[-1]


def responsive_table(
    title: str | Text,
    columns: Mapping[str, Literal["left", "right"]],
    sections: Sequence[Sequence[Row]],
    caption: str | None = None,
) -> FirstThatFits:
    """Return a table; on a narrow terminal each row becomes a list of names and values.

    Args:
        title: Title of the table.
        columns: Names of the columns, with their justification.
        sections: Rows of each section of the table.
        caption: Text below the table.
    """
    wide, long = (
        Table(title=title, caption=caption, title_justify="left", caption_justify="left")
        for _ in range(2)
    )
    for name, justify in columns.items():
        wide.add_column(Text(name), justify=justify)
    long.show_header = False
    long.add_column(overflow="fold")
    long.add_column(overflow="fold")
    for rows in sections:
        for row in rows:
            cells = [Text(cell) if isinstance(cell, str) else cell for cell in row]
            wide.add_row(*cells)
            for name, cell in zip(columns, cells, strict=True):
                long.add_row(Text(name), cell)
            long.add_section()
        wide.add_section()
    return FirstThatFits(wide, long)
