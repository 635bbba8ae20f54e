"""Line-by-line output, and a live display below the lines.

Write errors, such as a closed terminal, do not interrupt the caller.
"""

from __future__ import annotations

import contextlib
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from rumcli import atomic_io, signals


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

    def change(self, picture: RenderableType) -> None:
        """Replace the renderable."""
        self._live.update(picture)

    def remove(self) -> None:
        """Remove the renderable."""
        self._open.close()
        with contextlib.suppress(OSError):
            self._live.stop()

    def _say(self, text: str) -> None:
        self._live.console.print(Text(text))
