"""Versions of the installed dependencies and extras.

This module does not import Keras, so that it works even if the import of Keras fails.
"""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from rumcli import backends

_PACKAGES = ("keras", "numpy")
# Packages of the extras, as in `pip install 'rumcli[sweep]'`.
_EXTRAS = {
    "tensorboard": "tensorboard",
    "onnx": "tf2onnx",
    "cluster": "ray",
    "sweep": "optuna",
    **{backend: backend for backend in backends.TITLES},
}


def versions(backend: str | None = None) -> dict[str, str | None]:
    """Return the versions of Python and the dependencies by name; None for missing packages.

    Args:
        backend: Name of a Keras backend; None for the configured one.
    """
    backend = backend or backends.name()
    packages = [*_PACKAGES, *([backend] if backend in backends.TITLES else [])]
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in packages},
    }


def extras() -> list[dict[str, Any]]:
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
