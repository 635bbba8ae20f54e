"""Trust rules for custom code: code named on the command line runs, code named in files does not.

`rumcli.plugins` imports the code.
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
    typer.Option(plugins.TRUST, help="Import custom code that the configuration names."),
]

_KEYS = ("cell.factory", "task.factory", "train.callbacks")
# The only keys of a configuration that select the code it names.
DECIDING = ("cell", "cell.name", "train", *_KEYS)


def flags(section: str, name: str | None) -> dict[KeyPath, Any]:
    """Return the settings for the name of a cell or task: a registered name or a custom factory."""
    if name is None or ":" not in name:
        return {(section, "name"): name}
    return {(section, "name"): "custom", (section, "factory"): name}


def check(
    run: RunConfig, trusted: bool, typed: Iterable[str | None] = (), training: bool = True
) -> None:
    """Check that all custom code of a run exists and is either typed or trusted.

    The check does not import the code.

    Args:
        run: Configuration of the run.
        trusted: Whether the user trusts all code named in the configuration.
        typed: Arguments of the command line: the code itself, or a setting such as
            `cell.factory=CODE`.
        training: Whether the run is trained, and thus needs its callbacks.

    Raises:
        ConfigError: If code is neither typed nor trusted, or does not exist.
    """
    known = {path for text in typed if text for path in _paths_in(text)}
    for path in run.code(training):
        if not trusted and path not in known:
            raise ConfigError(plugins.refusal(path))
        plugins.require(path)


def load_trusted(run: RunConfig, training: bool = True) -> None:
    """Import the custom code of a run, after Keras and after `check`.

    Args:
        run: Configuration of the run.
        training: As for `check`.

    Raises:
        ConfigError: If the code cannot be imported.
    """
    for path in run.code(training):
        plugins.load_trusted(path)


def _paths_in(text: str) -> list[str]:
    key, equals, value = text.partition("=")
    return plugins.paths_in(value) if equals and key.strip() in _KEYS else [text]
