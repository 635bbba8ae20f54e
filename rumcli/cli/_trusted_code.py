"""Code of the user's own, as commands take it: what is typed is run, what is read is not.

`rumcli.plugins` imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import plugins
from rumcli.errors import ConfigError

if TYPE_CHECKING:
    from rumcli.config import KeyPath, RunConfig

Trust = Annotated[
    bool,
    typer.Option(plugins.TRUST, help="Run the code that the configuration names, if it does."),
]

_KEYS = ("cell.factory", "task.factory", "train.callbacks")
# Nothing else in a configuration says which code it names.
DECIDING = ("cell", "cell.name", "train", *_KEYS)


def flags(section: str, name: str | None) -> dict[KeyPath, Any]:
    """Return what the name of a cell or a task means: one of ours, or code of the user's."""
    if name is None or ":" not in name:
        return {(section, "name"): name}
    return {(section, "name"): "custom", (section, "factory"): name}


def check(
    run: RunConfig, trusted: bool, typed: Iterable[str | None] = (), training: bool = True
) -> None:
    """Make sure that all code that a run needs was typed, or is trusted, and can be found.

    Nothing is imported yet.

    Args:
        run: The run.
        trusted: Whether the user trusts all that the configuration names.
        typed: Texts of the command line: the code itself, or as in `cell.factory=CODE`.
        training: Whether the run is trained, with its callbacks.

    Raises:
        ConfigError: If the user may not know of it, or there is no such code.
    """
    known = {path for text in typed if text for path in _paths_in(text)}
    for path in run.code(training):
        if not trusted and path not in known:
            raise ConfigError(plugins.refusal(path))
        plugins.require(path)


def load_trusted(run: RunConfig, training: bool = True) -> None:
    """Import the code that a run needs, once Keras is there, and after `check`.

    Args:
        run: The run.
        training: As for `check`.

    Raises:
        ConfigError: If it can't be imported.
    """
    for path in run.code(training):
        plugins.load_trusted(path)


def _paths_in(text: str) -> list[str]:
    key, equals, value = text.partition("=")
    return plugins.paths_in(value) if equals and key.strip() in _KEYS else [text]
