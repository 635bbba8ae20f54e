"""Description of the machine and the packages of a benchmark."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import keras

from rumcli import system_info
from rumcli.training import devices


def describe() -> dict[str, Any]:
    """Return the processor, number of cores, accelerators, backend and versions."""
    backend = keras.backend.backend()
    return {
        "processor": system_info.processor(),
        "cores": os.cpu_count(),
        "accelerators": devices.names(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "backend": backend,
        "keras": keras.version(),
        backend: importlib.metadata.version(backend),
    }
