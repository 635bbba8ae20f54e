"""Bring Keras up without the messages that its native libraries print, unless it fails."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from rumcli import suggest
from rumcli.cli import allocator
from rumcli.errors import ConfigError
from rumcli.reporting import output

# The package of each backend of Keras, and how to install it.
_INSTALL = {
    "tensorflow": ("tensorflow", "pip install tensorflow"),
    "jax": ("jax", "pip install 'rumcli[jax]'"),
    "torch": ("torch", "pip install torch"),
}
BACKENDS = tuple(_INSTALL)
_TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def backend() -> str:
    """Return the name of the backend that the environment asks for."""
    return os.environ.get("KERAS_BACKEND") or "tensorflow"


def require_backend() -> None:
    """Make sure that the backend of the environment is installed, without importing it.

    Raises:
        ConfigError: If Keras has no such backend, or its package is missing.
    """
    name = backend()
    if name not in _INSTALL:
        unknown = suggest.unknown("backend", name, _INSTALL)
        raise ConfigError(f"environment variable KERAS_BACKEND={name}: {unknown}")
    require_installed(name)


def require_installed(name: str) -> None:
    """Make sure that one of `BACKENDS` is installed, without importing it.

    Raises:
        ConfigError: If its package is missing.
    """
    package, install = _INSTALL[name]
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"backend '{name}' needs the package {package}, which is not installed: {install}"
        )


def start(debug: bool, first: Callable[[], None] = lambda: None, quiet: bool = False) -> None:
    """Import Keras and its backend, and find the devices.

    Args:
        debug: Whether to show what the native libraries print.
        first: Called before anything is computed.
        quiet: Whether not to print that the backend starts, which takes seconds.

    Raises:
        ConfigError: If the backend does not exist or is not installed.
    """
    require_backend()
    name = backend()
    if not quiet and _INSTALL[name][0] not in sys.modules:
        output.note(f"starting {_TITLES[name]}")
    allocator.keep_freed()
    # The backend reads this when it is imported; warnings of its kernels are not the user's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "3")
    try:
        with contextlib.nullcontext() if debug else _held_back_stderr():
            import keras

            first()
            keras.ops.zeros(1)  # the search for devices prints too
    except (ImportError, ValueError) as error:
        raise ConfigError(f"can't start Keras on the backend '{name}': {error}") from error
    if not debug and keras.backend.backend() == "tensorflow":
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; show it if the block fails.

    TensorFlow prints before its logging is set up, and no variable of its switches that off.
    """
    try:
        saved = os.dup(2)
    except OSError:  # closed, as daemons have it
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def stderr_at_hand() -> Iterator[Callable[[], None]]:
    """Yield what brings the stderr of now back to file descriptor 2, also while it is held back.

    For another thread that has a last word to say, and ends the process with it.
    """
    try:
        saved = os.dup(2)
    except OSError:  # closed, as daemons have it
        yield lambda: None
        return
    is_over = False

    def bring_back() -> None:
        if not is_over:  # afterwards nothing is held back, and the number may be another file's
            with contextlib.suppress(OSError):
                os.dup2(saved, 2)

    try:
        yield bring_back
    finally:
        is_over = True
        os.close(saved)
