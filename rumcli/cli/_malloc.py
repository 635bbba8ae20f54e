"""Let the C library keep the memory that is freed, for the next training step to use again.

A step's arrays are made and freed many times a second. glibc gives large ones back to the kernel at
once, which then fills every page with zeros when the next step asks for it: that took more than
half of the time of a training step (`docs/performance.md`).
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

_LARGEST = 2**31 - 1  # what mallopt takes, in bytes

# The parameters of mallopt(3), with the variables by which a user sets them.
_SETTINGS = {
    "MALLOC_TRIM_THRESHOLD_": (-1, _LARGEST),  # free bytes at the end of the heap that are kept
    "MALLOC_MMAP_MAX_": (-4, 0),  # arrays with a mapping of their own
    "MALLOC_ARENA_MAX": (-8, 1),  # heaps: those of threads are small, and given back
}


def keep_freed() -> None:
    """Set the allocator, apart from what the user has set; nothing where it is another one."""
    mallopt = _mallopt()
    if mallopt is None:
        return
    for variable, (parameter, value) in _SETTINGS.items():
        if variable not in os.environ:
            mallopt(parameter, value)


def describe() -> dict[str, Any]:
    """Return whether freed memory is kept for the next step, and if not, why.

    Returns:
        `keeps_freed`, and `reason`, or None.
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
