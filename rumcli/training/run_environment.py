"""Environment of a run: versions, machine, and the git commit of a checkout."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from typing import Any

import keras

from rumcli import __version__, backends, system_info
from rumcli.training import devices

_PACKAGES = ("keras", *backends.TITLES, "numpy")


def describe(seed: int) -> dict[str, Any]:
    """Return the seed, versions, backend, machine and git commit.

    Args:
        seed: Seed of the run.
    """
    return {
        "seed": seed,
        "rum": __version__,
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        **{name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": system_info.processor(),
        "cores": os.cpu_count(),
        "accelerators": devices.names(),
        "command": sys.argv,
        "git_commit": _git_commit(),
    }


def versions() -> dict[str, str | None]:
    """Return the versions on which the exact results of a run depend; None if not installed."""
    return {"rum": __version__, **{name: _version(name) for name in ("keras", "jax", "numpy")}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
