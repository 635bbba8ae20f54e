"""How a command shows what it did: as a table, as JSON, or not at all."""

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
    """What the options --json, --quiet and --debug ask for.

    Attributes:
        as_json: Whether the result is one JSON document.
        quiet: Whether only warnings and errors are shown.
        debug: Whether a traceback, and what the native libraries print, are shown.
    """

    as_json: bool
    quiet: bool
    debug: bool

    def show(self, document: Document, table: Callable[[dict[str, Any]], RenderableType]) -> None:
        """Print the result to stdout.

        Args:
            document: The result.
            table: Returns the table of a result.
        """
        if self.as_json:
            console.show_document(document)
        elif not self.quiet:
            console.show(table(document.to_dict()))

    def listener_for(self, owner: Owner | None) -> None:
        """Say that a run folder was left without a word, if it was."""
        if owner is not None and not self.quiet:
            console.note(f"{owner} ended without a word; going on with its run")
