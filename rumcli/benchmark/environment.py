"""The machine and the packages that a benchmark is about."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import keras

from rumcli import machine
from rumcli.training import accelerators


def describe() -> dict[str, Any]:
    """Return processor, number of cores, accelerators, backend and versions."""
    backend = keras.backend.backend()
    return {
        "processor": machine.processor(),
        "cores": os.cpu_count(),
        "accelerators": accelerators.names(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "backend": backend,
        "keras": keras.version(),
        backend: importlib.metadata.version(backend),
    }
