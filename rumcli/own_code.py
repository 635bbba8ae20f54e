"""Code of the user's own, named `package.module:Name`: the one place that imports it.

A configuration that somebody else wrote may name any code there is, and to import it is to run it.
So what a configuration names is only looked up here, among what was admitted before; and the
command line admits only what was typed there, or what the user says to trust.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from rumcli.errors import ConfigError

TRUST = "--trust-code"

# For the whole process, as modules are: what was imported can't be taken back.
_admitted: dict[str, Any] = {}


def is_path(text: str) -> bool:
    """Tell whether a text has the form `package.module:Name`."""
    name = r"[^\W\d]\w*"
    return re.fullmatch(rf"{name}(\.{name})*:{name}", text) is not None


def admit(path: str) -> Any:
    """Import what a path names, so that `find` finds it; this runs the module.

    Modules in the current directory are found too, as `python -m` finds them.

    Raises:
        ConfigError: If there is no such module, it can't be imported, or it has no such name.
    """
    module_name, _, name = path.partition(":")
    here = str(Path.cwd())
    if "" not in sys.path and here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(f"{path}: importing {module_name} fails: {error}") from error
        raise ConfigError(
            f"{path}: there is no module {error.name}, neither installed nor in {here}"
        ) from error
    except Exception as error:
        raise ConfigError(f"{path}: importing {module_name} fails: {_shown(error)}") from error
    found = getattr(module, name, None)
    if found is None:
        raise ConfigError(f"{path}: {module_name} has no {name}")
    if not callable(found):
        raise ConfigError(f"{path}: expected a class or a function, got {type(found).__name__}")
    _admitted[path] = found
    return found


def admitted() -> list[str]:
    """Return the paths of all code of the user's that may be running."""
    return list(_admitted)


def find(path: str) -> Any:
    """Return what was admitted under a path.

    Raises:
        ConfigError: If nothing was.
    """
    if path not in _admitted:
        raise ConfigError(refusal(path))
    return _admitted[path]


def refusal(path: str) -> str:
    """Say why code is not run, and how it is."""
    return (
        f"the configuration names code, {path}, which can do anything that you can; if you trust "
        f"it: {TRUST}"
    )


def make(path: str, what: str, *arguments: Any, **options: Any) -> Any:
    """Call what was admitted under a path.

    Args:
        path: The path.
        what: What it makes, for messages.
        *arguments: What it is called with.
        **options: What it is called with, by name.

    Raises:
        ConfigError: If nothing was admitted, or the call fails.
    """
    factory = find(path)
    try:
        return factory(*arguments, **options)
    except ConfigError:
        raise
    except Exception as error:
        given = ", ".join(["…"] * len(arguments) + [f"{key}={options[key]!r}" for key in options])
        raise ConfigError(f"{what} {path}({given}) fails: {_shown(error)}") from error


def _shown(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
