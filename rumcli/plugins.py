"""Code of the user's own, named `package.module:Name`: the one place that imports it.

A configuration that somebody else wrote may name any code there is, and to import it is to run it.
So what a configuration names is only looked up here, among what was admitted before; and the
command line admits only what was typed there, or what the user says to trust.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from rumcli.errors import ConfigError

TRUST = "--trust-code"

# For the whole process, as modules are: what was imported can't be taken back.
_admitted: dict[str, Any] = {}


_NAME = r"[^\W\d]\w*"
_PATH = rf"{_NAME}(?:\.{_NAME})*:{_NAME}"


def is_path(text: str) -> bool:
    """Tell whether a text has the form `package.module:Name`."""
    return re.fullmatch(_PATH, text) is not None


def paths_in(text: str) -> list[str]:
    """Return every `package.module:Name` in a text."""
    return re.findall(_PATH, text)


def path_of(code: Any) -> str:
    """Return the path of a class or function, by which a configuration names it.

    Raises:
        ConfigError: If no import finds it by a path.
    """
    path = f"{getattr(code, '__module__', '')}:{getattr(code, '__qualname__', '')}"
    if not is_path(path):
        raise ConfigError(
            f"{code!r}: expected a class or function at the top level of a module, which a run "
            "can name in its configuration"
        )
    module, _, name = path.partition(":")
    if getattr(sys.modules.get(module), name, None) is not code:
        raise ConfigError(f"{path} is something else now; pass that, or run its definition again")
    return path


def load_trusted(path: str) -> Any:
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
        raise ConfigError(f"{path}: importing {module_name} fails: {shown(error)}") from error
    found = getattr(module, name, None)
    if found is None:
        raise ConfigError(f"{path}: {module_name} has no {name}")
    if not callable(found):
        raise ConfigError(f"{path}: expected a class or a function, got {type(found).__name__}")
    _admitted[path] = found
    return found


def require(path: str) -> None:
    """Make sure that a path can be imported, as far as that shows without running the module.

    An import takes a backend with it, and seconds; a misspelled name is found before.

    Raises:
        ConfigError: If there is no such module, it is no Python, or nothing in it has the name.
    """
    module_name, _, name = path.partition(":")
    here = str(Path.cwd())
    places: list[str] | None = [here, *sys.path]
    spec, found = None, ""
    for part in module_name.split("."):
        found = f"{found}.{part}" if found else part
        if found in sys.modules:
            places = getattr(sys.modules[found], "__path__", None)
            spec = sys.modules[found].__spec__
            continue
        spec = importlib.machinery.PathFinder.find_spec(found, places)
        if spec is None:
            # Other finders, of editable installs, know whole names.
            spec = importlib.util.find_spec(found) if "." not in found else None
        if spec is None:
            raise ConfigError(
                f"{path}: there is no module {found}, neither installed nor in {here}"
            )
        places = spec.submodule_search_locations
    if spec is not None and spec.origin and spec.origin.endswith(".py"):
        _require_name(path, module_name, name, Path(spec.origin))


def _require_name(path: str, module_name: str, name: str, file: Path) -> None:
    try:
        source = file.read_bytes()
        compile(source, str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ConfigError(f"{path}: importing {module_name} fails: {shown(error)}") from error
    except (OSError, ValueError):  # an import reports it
        return
    text = source.decode(errors="replace")
    # A module may make names as it runs; one that could is left to the import.
    if re.search(r"import\s*\*|__getattr__|globals|setattr|exec|__dict__|vars", text):
        return
    if re.search(rf"\b{re.escape(name)}\b", text) is None:
        raise ConfigError(f"{path}: {module_name} has no {name}")


def trusted_objects() -> list[str]:
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
        raise ConfigError(f"{what} {path}({given}) fails: {shown(error)}") from error


def shown(error: Exception) -> str:
    """Return the type and message of an error, for one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
