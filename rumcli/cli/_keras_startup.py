"""Import of Keras, without the messages of its native libraries unless it fails.

Also configures the C allocator, so that freed memory is kept and reused by the next training step.
The arrays of a step are allocated and freed many times a second. By default, glibc returns large
ones to the kernel, which zero-fills every page when the next step allocates it. That took more than
half of the time of a training step (`docs/performance.md`).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from rumcli import backends
from rumcli.errors import ConfigError
from rumcli.reporting import console

_LARGEST = 2**31 - 1  # maximum argument of mallopt, in bytes
# Parameters of mallopt(3) by the environment variable that sets them.
_SETTINGS = {
    "MALLOC_TRIM_THRESHOLD_": (-1, _LARGEST),  # free bytes kept at the top of the heap
    "MALLOC_MMAP_MAX_": (-4, 0),  # arrays with a mapping of their own
    "MALLOC_ARENA_MAX": (-8, 1),  # heaps; those of threads are small and are trimmed
}


def keep_freed() -> None:
    """Configure glibc's allocator, except for parameters set in the environment."""
    mallopt = _mallopt()
    if mallopt is None:
        return
    for variable, (parameter, value) in _SETTINGS.items():
        if variable not in os.environ:
            mallopt(parameter, value)


def describe_allocator() -> dict[str, Any]:
    """Return whether freed memory is kept for the next step, or the reason why not.

    Returns:
        Dictionary with `keeps_freed`, and with `reason`, a string or None.
    """
    set_variables = [variable for variable in _SETTINGS if variable in os.environ]
    if _mallopt() is None:
        reason = "the allocator is not that of glibc, and is not configured"
    elif set_variables:
        reason = f"the environment sets {', '.join(set_variables)}"
    else:
        reason = None
    return {"keeps_freed": reason is None, "reason": reason}


def _mallopt() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has none
        return None


def start(debug: bool, first: Callable[[], None] = lambda: None, quiet: bool = False) -> None:
    """Import Keras and its backend, and initialize the devices.

    Args:
        debug: Whether to show native library messages and tracebacks.
        first: Called before anything is computed.
        quiet: Whether to omit the message that the backend is starting, which takes seconds.

    Raises:
        ConfigError: If the backend does not exist or is not installed.
    """
    name = backends.require()
    if name != "tensorflow":  # the default of Keras
        os.environ["KERAS_BACKEND"] = name  # for Keras, and inherited by child processes
    if not quiet and name not in sys.modules:
        console.note(f"starting {backends.TITLES[name]}")
    keep_freed()
    # Read when the backend is imported. Users cannot act on warnings of its kernels.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if debug else "3")
    try:
        with contextlib.nullcontext() if debug else _held_back_stderr():
            import keras

            if debug:
                keras.config.disable_traceback_filtering()
            first()
            keras.ops.zeros(1)  # the search for devices prints too
            if name != "tensorflow":
                with contextlib.suppress(ImportError):
                    importlib.import_module("tensorflow")  # Keras seeds it if it is installed
    except (ImportError, ValueError, RuntimeError, AssertionError) as error:
        # JAX's assertion that a device exists has no message.
        platforms = os.environ.get("JAX_PLATFORMS")
        named = f"; JAX_PLATFORMS={platforms}" if name == "jax" and platforms else ""
        reason = str(error) or "no device was found"
        raise ConfigError(f"can't start Keras on the backend '{name}': {reason}{named}") from error
    if not debug and keras.backend.backend() == "tensorflow":
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextlib.contextmanager
def _held_back_stderr() -> Iterator[None]:
    """Capture file descriptor 2; print its content only if the block fails.

    TensorFlow prints before its logging is set up, and no environment variable disables that.
    """
    try:
        saved = os.dup(2)
    except OSError:  # closed, as in daemons
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
