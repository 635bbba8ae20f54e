"""Text of values, tables that fit the terminal, and live displays."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from rumcli import atomic_io, errors, signals
from rumcli.tasks.baseline import Baseline

if TYPE_CHECKING:
    from rumcli.json_schemas.analysis import ComparedBaseline

_BLOCKS = "▁▂▃▄▅▆▇█"
NOTHING = "–"  # table cell without a value

Row = Sequence[Text | str]
Columns = Mapping[str, Literal["left", "right"]]


def metric_name(name: str) -> str:
    """Return the display name of a metric: `symbol_accuracy` → `symbol accuracy`."""
    return name.replace("_", " ")


def with_unit(name: str, loss_unit: str | None) -> str:
    """Return the display name of a metric with its unit, as an axis label: `loss, nats`.

    Args:
        name: Key of the metric.
        loss_unit: Unit of the loss; None if it has none.
    """
    # The unit of bits per character is in the name, and accuracies are formatted in percent.
    unit = f", {loss_unit}" if name == "loss" and loss_unit else ""
    return f"{metric_name(name)}{unit}"


def value(name: str, number: float) -> str:
    """Format a metric: accuracies in percent, losses with four significant digits.

    Trailing zeros are kept: `0.2980` beside `0.2702`.
    """
    if name.endswith("accuracy"):
        return f"{number:.1%}"
    # Published bits per character have three decimals.
    return f"{number:.3f}" if name == "bits_per_character" else significant(number, 4)


def significant(number: float, digits: int) -> str:
    """Format a number with significant digits, including trailing zeros."""
    return f"{number:#.{digits}g}".removesuffix(".").replace(".e", "e")


def deviation(name: str, mean: float, number: float) -> str:
    """Format the standard deviation of a metric with the decimals that `value` gives its mean."""
    if name.endswith("accuracy"):
        return f"{number:.1%}"
    text = value(name, mean)
    if "e" in text:
        return f"{number:.1e}"
    decimals = len(text.partition(".")[2]) or 1
    return f"{number:.{decimals}f}"


def standard_error(error: float | None) -> str:
    """Format the standard error of an accuracy, to append to it; empty if there is none.

    The estimate for an accuracy of 0 or 100% is 0, which is no error bound.
    """
    return f" ± {significant(100 * error, 2)}%" if error else ""


def distance(baseline: Baseline | ComparedBaseline, number: float) -> str:
    """Describe the difference between a value and the baseline of a task."""
    if baseline.target < baseline.value:
        ratio = number / baseline.value
        if ratio >= 2:
            return f"{ratio:.1f} × {baseline.label}"
        side = "above" if ratio > 1 else "below"
        return f"{abs(ratio - 1):.1%} {side} {baseline.label}"
    points = 100 * (number - baseline.value)
    side = "above" if points >= 0 else "below"
    return f"{abs(points):.1f} points {side} {baseline.label}"


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """Draw a series as one line of block characters: `▁▁▂▅█`.

    Args:
        values: Finite numbers, one for each character. A longer series is sampled evenly.
        width: Maximum number of characters.
    """
    if len(values) > width:
        last = len(values) - 1
        values = [values[round(n * last / (width - 1))] for n in range(width)]
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round(scale * (value - low))] for value in values)


def each_once(names: Iterable[str]) -> list[str]:
    """Return the distinct names with their counts: `2 × NVIDIA H200`."""
    return [name if n == 1 else f"{n} × {name}" for name, n in Counter(names).items()]


def counted(number: int, noun: str) -> str:
    """Format a count with its noun: `1 run`, `2,000 runs`."""
    return f"{number:,} {noun if number == 1 else errors.plural(noun)}"


def counted_of(number: int, whole: int | None, noun: str) -> str:
    """Format a fraction of a count: `0 of 1 run`, `3 of 8 runs`, or `3 runs` for an unknown total.

    Args:
        number: Number of items counted.
        whole: Total number of items; None if it is unknown.
        noun: Singular noun for the items.
    """
    if whole is None:
        return counted(number, noun)
    return f"{number:,} of {counted(whole, noun)}"


def duration(seconds: float) -> str:
    """Format a duration: `48 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`."""
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def markdown(text: str) -> str:
    """Return text as one line of Markdown without markup, also for a cell of a table."""
    line = " ".join(atomic_io.readable(text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~&$])", r"\\\1", line)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose cells have no markup."""
    lines = [columns, ["---"] * len(columns)]
    lines += [[markdown(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def setting(value: Any) -> str:
    """Format a value of a configuration as in a YAML file."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def table_cell(value: Any) -> str:
    """Format a value that two runs are compared by, as a cell of a table."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(each_once(map(str, value)))
    return str(value)


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
    columns: Columns,
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


class LineDisplay:
    """Line-by-line output to a terminal or pipe."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _say(self, text: str, style: str = "") -> None:
        # Lines are wrapped only in a terminal.
        pipe = not self._console.is_terminal
        # A closed terminal must not interrupt the caller.
        with contextlib.suppress(OSError):
            self._console.print(Text(atomic_io.readable(text), style=style), soft_wrap=pipe)

    def _warn(self, message: str) -> None:
        self._say(f"warning: {message}", "yellow")


class LiveDisplay:
    """Renderable at the bottom of the terminal, with lines above it; removed at the end.

    Rich draws in its own thread, from renderables that the calling thread has built completely.
    """

    def __init__(self, console: Console, **options: Any) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True, **options)
        self._open = contextlib.ExitStack()

    def start(self) -> None:
        """Show the renderable."""
        self._live.start()
        self._open.enter_context(signals.shown_by(self._say))

    def change(self, renderable: RenderableType) -> None:
        """Replace the renderable."""
        self._live.update(renderable)

    def remove(self) -> None:
        """Remove the renderable."""
        self._open.close()
        with contextlib.suppress(OSError):
            self._live.stop()

    def _say(self, text: str) -> None:
        self._live.console.print(Text(text))
