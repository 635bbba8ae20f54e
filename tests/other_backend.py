"""Tests once more in another process, on another backend than that of the tests themselves."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def pytest_on(backend, *arguments):
    """Run pytest on a backend of Keras, and assert that its tests pass and are not all skipped.

    Args:
        backend: Name of the backend, whose package is installed.
        arguments: Command line after `pytest`.
    """
    # Of the outer pytest's workers this one must know nothing.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment["KERAS_BACKEND"] = backend
    if backend == "jax":
        environment["JAX_ENABLE_X64"] = "1"
        # Nearly all of the time goes into compiling small functions that run once.
        environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", *map(str, arguments)]

    result = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )

    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
