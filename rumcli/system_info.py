"""Processor, cores and memory of the machine, including the limits of containers. No Keras.

Read from the files of Linux; on other systems from Python's standard library. Unavailable values
are None.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ROOT = Path("/")
# Version 1 control groups represent "no limit" by the largest number of pages.
_NO_LIMIT = 2**60


def cores(root: Path = _ROOT) -> dict[str, Any]:
    """Return the numbers of processor cores.

    Args:
        root: Root of the file system.

    Returns:
        Dictionary with the cores of the `machine`, those `usable` by the affinity of the process,
        and the `quota` of a container in cores; None for no quota.
    """
    machine = os.cpu_count()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    return {"machine": machine, "usable": usable, "quota": _quota(root)}


def processor(root: Path = _ROOT) -> str:
    """Return the name of the processor.

    Args:
        root: Root of the file system.
    """
    for line in _lines(root / "proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory(root: Path = _ROOT) -> dict[str, int | None]:
    """Return the size of the main memory in bytes.

    Args:
        root: Root of the file system.

    Returns:
        Dictionary with `total`, the `limit` of the process or its container, and `available`: the
        size that can be allocated without swapping and within the limit.
    """
    facts = _meminfo(root)
    total, available = facts.get("MemTotal"), facts.get("MemAvailable")
    limits = [*_memory_limits(root), *_address_space(root)]
    for bound, used in limits:
        left = max(0, bound - used)
        available = left if available is None else min(available, left)
    limit = min((bound for bound, _ in limits), default=None)
    if limit is not None and total is not None and limit >= total:
        limit = None
    return {
        "total": total if total is not None else _pages(),
        "limit": limit,
        "available": available,
    }


def _meminfo(root: Path) -> dict[str, int]:
    found = {}
    for line in _lines(root / "proc/meminfo"):
        name, _, rest = line.partition(":")
        if rest.split()[1:] == ["kB"]:
            found[name] = 1024 * int(rest.split()[0])
    return found


def _pages() -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _memory_limits(root: Path) -> Iterator[tuple[int, int]]:
    """Yield the limit and usage, in bytes, of each control group of this process."""
    for folder in _groups(root, "memory"):
        for limit_file, used_file in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit, used = _number(folder / limit_file), _number(folder / used_file)
            if limit is not None and used is not None and limit < _NO_LIMIT:
                yield limit, max(0, used - _reclaimable(folder))


def _address_space(root: Path) -> Iterator[tuple[int, int]]:
    """Yield the limit (`ulimit -v`) and usage of this process's address space, in bytes."""
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = [line.split()[1] for line in _lines(root / "proc/self/status") if "VmSize" in line]
    if limit != resource.RLIM_INFINITY and used:
        yield limit, 1024 * int(used[0])


def _reclaimable(folder: Path) -> int:
    """Return the size of the page cache that the kernel can reclaim, in bytes."""
    for line in _lines(folder / "memory.stat"):
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file") and value.isdecimal():
            return int(value)
    return 0


def _quota(root: Path) -> float | None:
    shares = []
    for folder in _groups(root, "cpu"):
        both = " ".join(_lines(folder / "cpu.max")).split()
        if len(both) != 2:
            both = [str(_number(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period")]
        if both[0].isdecimal() and both[1].isdecimal() and int(both[1]) > 0:
            shares.append(int(both[0]) / int(both[1]))
    return min(shares, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of this process's control groups and of their parents."""
    top = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            base = top
        elif controller in controllers.split(","):
            base = top / controller
        else:
            continue
        folder = base / path.lstrip("/")
        while folder != base and base in folder.parents:
            yield folder
            folder = folder.parent
        yield base


def _number(path: Path) -> int | None:
    text = "".join(_lines(path))
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
