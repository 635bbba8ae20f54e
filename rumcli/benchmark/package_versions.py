"""What is installed: what this package is built on, and what some commands need besides.

No Keras, so that it can be told even where Keras does not start.
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
    """Return versions by name; None of what is missing.

    Args:
        backend: That of Keras; None: the one that Keras is to use here.
    """
    backend = backend or backends.name()
    packages = [*_PACKAGES, *([backend] if backend in backends.TITLES else [])]
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in packages},
    }


def extras() -> list[dict[str, Any]]:
    """Return what is optional: its package and version, and the command that installs it."""
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
