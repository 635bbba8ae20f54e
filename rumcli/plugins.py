"""Import and lookup of user-defined code by its path `package.module:Name`.

A configuration from another user may name any code, and an import runs it. So code in a
configuration is only looked up among trusted objects. The command line trusts code that is named
on it, and other code only with `--trust-code`.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from rumcli import errors
from rumcli.errors import ConfigError

TRUST = "--trust-code"

# Global like `sys.modules`: an import can't be undone.
_trusted: dict[str, Any] = {}


_NAME = r"[^\W\d]\w*"
_PATH = rf"{_NAME}(?:\.{_NAME})*:{_NAME}"


def is_path(text: str) -> bool:
    """Return whether a text has the form `package.module:Name`."""
    return re.fullmatch(_PATH, text) is not None


def paths_in(text: str) -> list[str]:
    """Return every `package.module:Name` in a text."""
    return re.findall(_PATH, text)


def path_of(code: Any) -> str:
    """Return the path of a class or function for use in a configuration.

    Args:
        code: Class or function.

    Raises:
        ConfigError: If it can't be imported by a path.
    """
    path = f"{getattr(code, '__module__', '')}:{getattr(code, '__qualname__', '')}"
    if not is_path(path):
        raise ConfigError(
            f"{code!r}: expected a class or function at the top level of a module, which a run "
            "can name in its configuration"
        )
    module, _, name = path.partition(":")
    if getattr(sys.modules.get(module), name, None) is not code:
        raise ConfigError(
            f"{path} refers to another object now; pass that one, or run the definition again"
        )
    return path


def load_trusted(path: str) -> Any:
    """Import the object at a path, which runs its module, and register it as trusted.

    Modules in the current directory are found too, as with `python -m`.

    Args:
        path: Path `package.module:Name`.

    Raises:
        ConfigError: If the module is missing or can't be imported, or the object is missing or not
            callable.
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
    _trusted[path] = found
    return found


def require(path: str) -> None:
    """Check without running the module whether a path may be importable.

    An import may load a backend and take seconds. This check reports a misspelled name before.

    Args:
        path: Path `package.module:Name`.

    Raises:
        ConfigError: If the module is missing, is not valid Python, or does not contain the name.
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
            # Finders of editable installs support only top-level names.
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
    except (OSError, ValueError):  # the import reports it
        return
    text = source.decode(errors="replace")
    # A module that may define names dynamically is checked by the import.
    if re.search(r"import\s*\*|__getattr__|globals|setattr|exec|__dict__|vars", text):
        return
    if re.search(rf"\b{re.escape(name)}\b", text) is None:
        raise ConfigError(f"{path}: {module_name} has no {name}")


def trusted_objects() -> list[str]:
    """Return the paths of all trusted objects."""
    return list(_trusted)


def find(path: str) -> Any:
    """Return the trusted object at a path.

    Args:
        path: Path `package.module:Name`.

    Raises:
        ConfigError: If the path is not trusted.
    """
    if path not in _trusted:
        raise ConfigError(refusal(path))
    return _trusted[path]


def refusal(path: str) -> str:
    """Return the error message for untrusted code, with the option that trusts it."""
    return (
        f"the configuration names code, {path}, which can do anything that you can; if you trust "
        f"it: {errors.option(TRUST, True)}"
    )


def make(path: str, noun: str, *arguments: Any, **options: Any) -> Any:
    """Call the trusted object at a path.

    Args:
        path: Path `package.module:Name`.
        noun: Noun for the result in error messages.
        *arguments: Positional arguments of the call.
        **options: Keyword arguments of the call.

    Raises:
        ConfigError: If the path is not trusted, or the call fails.
    """
    factory = find(path)
    try:
        return factory(*arguments, **options)
    except ConfigError:
        raise
    except Exception as error:
        given = ", ".join(["…"] * len(arguments) + [f"{key}={options[key]!r}" for key in options])
        raise ConfigError(f"{noun} {path}({given}) fails: {shown(error)}") from error


def shown(error: Exception) -> str:
    """Return the type and message of an error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
