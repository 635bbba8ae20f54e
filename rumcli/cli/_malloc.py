"""Configuration of the C allocator: freed memory is kept and reused by the next training step.

The arrays of a step are allocated and freed many times a second. By default, glibc returns large
ones to the kernel, which zero-fills every page when the next step allocates it. That took more than
half of the time of a training step (`docs/performance.md`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

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


def describe() -> dict[str, Any]:
    """Return whether freed memory is kept for the next step, or the reason why not.

    Returns:
        Dictionary with `keeps_freed`, and with `reason`, a string or None.
    """
    theirs = [variable for variable in _SETTINGS if variable in os.environ]
    if _mallopt() is None:
        reason = "the allocator is not that of glibc, and stays as it is"
    elif theirs:
        reason = f"the environment sets {', '.join(theirs)}"
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
