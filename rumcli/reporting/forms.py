"""Tables in one of two forms: side by side, or where that is too wide, one below the other."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement


def fitting(
    console: Console,
    options: ConsoleOptions,
    wide: RenderableType,
    long: Callable[[], RenderableType],
) -> RenderableType:
    """Return the wide form, or where it does not fit, what makes the long one."""
    needed = Measurement.get(console, options.update(max_width=10_000), wide).maximum
    return wide if needed <= options.max_width else long()
