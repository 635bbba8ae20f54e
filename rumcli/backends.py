"""The backends of Keras that the package runs on: which one is used, and whether it is installed.

Imports neither Keras nor a backend, so that a missing one is reported at once.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from rumcli import json_parser, messages
from rumcli.errors import ConfigError

# In the order in which an installed one is used where none is chosen. The name of each is that of
# its package, and of the extra that installs it.
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
_DEFAULT = "tensorflow"  # Keras's own
_VARIABLE = "KERAS_BACKEND"
_LARGEST = 1 << 16  # bytes of `keras.json`


def name() -> str:
    """Return the backend that Keras is to use.

    The environment variable `KERAS_BACKEND` comes first, then Keras's configuration file. That file
    says "tensorflow" unless somebody changed it, so that where TensorFlow is missing another
    installed backend is used instead.
    """
    if chosen := os.environ.get(_VARIABLE):
        return chosen
    chosen = _configured() or _DEFAULT
    if chosen != _DEFAULT or is_installed(_DEFAULT):
        return chosen
    return next(filter(is_installed, TITLES), _DEFAULT)


def require() -> str:
    """Return the backend that Keras is to use, which exists and is installed.

    Raises:
        ConfigError: If Keras has no such backend here, or its package is missing.
    """
    chosen = name()
    if chosen not in TITLES:
        place = f"environment variable {_VARIABLE}={chosen}"
        if not os.environ.get(_VARIABLE):
            place = f"{_configuration()}: backend {chosen}"
        raise ConfigError(f"{place}: {messages.unknown('backend', chosen, TITLES)}")
    if not any(map(is_installed, TITLES)):
        raise ConfigError(
            "Keras needs a backend, and none is installed; expected TensorFlow, JAX or PyTorch: "
            + ", or ".join(map(remedy, TITLES))
        )
    require_installed(chosen)
    return chosen


def require_installed(backend: str) -> None:
    """Make sure that the package of a backend can be found.

    Raises:
        ConfigError: If it can't.
    """
    if not is_installed(backend):
        raise ConfigError(
            f"backend '{backend}' needs the package {backend}, which is not installed: "
            f"{remedy(backend)}"
        )


def is_installed(backend: str) -> bool:
    """Tell whether the package of a backend can be found."""
    return importlib.util.find_spec(backend) is not None


def remedy(backend: str) -> str:
    """Return the command that installs a backend."""
    return f"pip install 'rumcli[{backend}]'"


def _configuration() -> Path:
    """Return the path of Keras's configuration file, as Keras finds it."""
    if folder := os.environ.get("KERAS_HOME"):
        return Path(folder).expanduser() / "keras.json"
    home = Path.home()
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"


def _configured() -> str | None:
    """Return the backend that Keras's configuration file names; None as in Keras if it has none."""
    try:
        with _configuration().open("rb") as file:
            found = json_parser.parse(file.read(_LARGEST))
    except (OSError, RuntimeError, ValueError):  # no file, no home, no JSON
        return None
    chosen = found.get("backend") if isinstance(found, dict) else None
    return chosen if isinstance(chosen, str) and chosen else None
