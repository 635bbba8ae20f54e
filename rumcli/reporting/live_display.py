"""A screen or a pipe, to write on while something is under way: lines, and a picture below them.

Nothing that happens to the screen ends what is under way.
"""

from __future__ import annotations

import contextlib
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from rumcli import atomic_io, signals


class LineDisplay:
    """Lines, one below the other."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _say(self, text: str, style: str = "") -> None:
        # A terminal's width is for people; in a pipe a line stays one line.
        pipe = not self._console.is_terminal
        # Nor may a terminal that was closed end what is told of.
        with contextlib.suppress(OSError):
            self._console.print(Text(atomic_io.readable(text), style=style), soft_wrap=pipe)

    def _warn(self, message: str) -> None:
        self._say(f"warning: {message}", "yellow")


class LiveDisplay:
    """A picture at the bottom, with the lines above it; it goes in the end.

    Rich draws in a thread of its own; it gets whole pictures, which are made in the caller's.
    """

    def __init__(self, console: Console, **options: Any) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=True, **options)
        self._open = contextlib.ExitStack()

    def start(self) -> None:
        """Begin to show what `change` got."""
        self._live.start()
        self._open.enter_context(signals.shown_by(self._say))

    def change(self, picture: RenderableType) -> None:
        """Put a picture in the place of the one before."""
        self._live.update(picture)

    def remove(self) -> None:
        """Take the picture away."""
        self._open.close()
        with contextlib.suppress(OSError):
            self._live.stop()

    def _say(self, text: str) -> None:
        self._live.console.print(Text(text))
