"""Output mode of a command: table, JSON, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rumcli.reporting import console

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rumcli.json_schemas.base import Document
    from rumcli.training.lock import Owner


@dataclass(frozen=True)
class OutputMode:
    """Output mode selected by --json, --quiet and --debug.

    Attributes:
        as_json: Whether the result is printed as one JSON document.
        quiet: Whether only warnings and errors are shown.
        debug: Whether to show tracebacks and native library messages.
    """

    as_json: bool
    quiet: bool
    debug: bool

    def show(self, document: Document, table: Callable[[dict[str, Any]], RenderableType]) -> None:
        """Print the result to stdout.

        Args:
            document: Result to print.
            table: Function that renders the result as a table.
        """
        if self.as_json:
            console.show_document(document)
        elif not self.quiet:
            console.show(table(document.to_dict()))

    def listener_for(self, owner: Owner | None) -> None:
        """Print a note if the previous process of a run exited without releasing its lock."""
        if owner is not None and not self.quiet:
            console.note(f"{owner} ended without releasing the run; resuming it")
