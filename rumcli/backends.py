"""Supported Keras backends and other dependencies: selection, installation check and versions.

Imports neither Keras nor a backend, so that a missing or broken backend is reported at once.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path
from typing import Any

from rumcli import errors, parsing
from rumcli.errors import ConfigError

# In order of preference if none is selected. Each name is also that of the backend's package and of
# the extra that installs it.
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
_DEFAULT = "tensorflow"  # Keras's default
_VARIABLE = "KERAS_BACKEND"
_LARGEST = 1 << 16  # bytes in `keras.json`

_PACKAGES = ("keras", "numpy")


def name() -> str:
    """Return the backend for Keras to use.

    The environment variable `KERAS_BACKEND` takes precedence over Keras's configuration file. That
    file has "tensorflow" by default. So if TensorFlow is missing, another installed backend is
    used.
    """
    if chosen := os.environ.get(_VARIABLE):
        return chosen
    chosen = _configured() or _DEFAULT
    if chosen != _DEFAULT or is_installed(_DEFAULT):
        return chosen
    return next(filter(is_installed, TITLES), _DEFAULT)


def require() -> str:
    """Return the backend for Keras to use, after checking that it is supported and installed.

    Raises:
        ConfigError: If the backend is not supported, or its package is missing.
    """
    chosen = name()
    if chosen not in TITLES:
        place = f"environment variable {_VARIABLE}={chosen}"
        if not os.environ.get(_VARIABLE):
            place = f"{_configuration()}: backend {chosen}"
        raise ConfigError(f"{place}: {errors.unknown('backend', chosen, TITLES)}")
    if not any(map(is_installed, TITLES)):
        raise ConfigError(
            "Keras needs a backend, and none is installed; expected TensorFlow, JAX or PyTorch: "
            + ", or ".join(map(remedy, TITLES))
        )
    require_installed(chosen)
    return chosen


def require_installed(backend: str) -> None:
    """Check that the package of a backend is installed.

    Args:
        backend: Name of the backend.

    Raises:
        ConfigError: If the package is missing.
    """
    if not is_installed(backend):
        raise ConfigError(
            f"backend '{backend}' needs the package {backend}, which is not installed: "
            f"{remedy(backend)}"
        )


def is_installed(backend: str) -> bool:
    """Return whether the package of a backend is installed."""
    return importlib.util.find_spec(backend) is not None


def remedy(backend: str) -> str:
    """Return the command that installs a backend."""
    return f"pip install 'rumcli[{backend}]'"


def _configuration() -> Path:
    """Return the path of Keras's configuration file by the rules of Keras."""
    if folder := os.environ.get("KERAS_HOME"):
        return Path(folder).expanduser() / "keras.json"
    home = Path.home()
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"


def _configured() -> str | None:
    """Return the backend in Keras's configuration file; None without one, as in Keras."""
    try:
        with _configuration().open("rb") as file:
            found = parsing.parse_json(file.read(_LARGEST))
    except (OSError, RuntimeError, ValueError):  # no file, no home, no JSON
        return None
    chosen = found.get("backend") if isinstance(found, dict) else None
    return chosen if isinstance(chosen, str) and chosen else None


# Packages of the extras, as in `pip install 'rumcli[sweep]'`.
_EXTRAS = {
    "tensorboard": "tensorboard",
    "mlflow": "mlflow-skinny",
    "wandb": "wandb",
    "trackio": "trackio",
    "onnx": "tf2onnx",
    "safetensors": "safetensors",
    "cluster": "ray",
    "sweep": "optuna",
    **{backend: backend for backend in TITLES},
}


def package_versions(backend: str | None = None) -> dict[str, str | None]:
    """Return the versions of Python and the dependencies by name; None for missing packages.

    Args:
        backend: Name of a Keras backend; None for the configured one.
    """
    backend = backend or name()
    packages = [*_PACKAGES, *([backend] if backend in TITLES else [])]
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in packages},
    }


def installed_extras() -> list[dict[str, Any]]:
    """Return the package, version and install command of each extra."""
    return [
        {
            "extra": extra,
            "package": package,
            "version": _version(package),
            "install": f"pip install 'rumcli[{extra}]'",
        }
        for extra, package in _EXTRAS.items()
    ]


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
