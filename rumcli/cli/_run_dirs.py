"""Resolution of command arguments to run directories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rumcli import output_dirs
from rumcli.errors import RumError
from rumcli.reporting import console

_CONFIG = "config.yaml"
_RECORDS = "metrics.jsonl"


@dataclass(frozen=True)
class Named:
    """Run directory.

    Attributes:
        path: Path of the directory.
        is_typed: Whether the user named it; else it was found in a directory that the user named.
    """

    path: Path
    is_typed: bool


def find(paths: Sequence[Path], parts: bool) -> list[Named]:
    """Return the runs in the order in which they are named, without duplicates.

    Args:
        paths: Run directories, or directories of runs such as `runs`, a sweep's or a
            reproduction's.
        parts: Whether to replace a run of all subtasks, which has no records, by its runs.

    Raises:
        ConfigError: If a path cannot be read.
    """
    found: dict[Path, Named] = {}
    for path in paths:
        for one in _expand(path, parts):
            place = one.path.resolve()
            if place in found and one.is_typed:
                console.note(f"{path} was named before; it is taken once")
            found.setdefault(place, one)
    return list(found.values())


def _expand(path: Path, parts: bool) -> list[Named]:
    is_run = output_dirs.exists(path / _CONFIG)
    if is_run and not (parts and not (path / _RECORDS).exists()):
        return [Named(path, True)]
    try:
        inside = [inner for inner in path.iterdir() if (inner / _CONFIG).is_file()]
    except OSError:  # reported when it is opened as a run directory
        inside = []
    if not inside:
        return [Named(path, True)]
    return [Named(inner, False) for inner in sorted(inside, key=_natural)]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def usable(runs: Sequence[Named], reasons: dict[Path, str], error: type[RumError]) -> list[Named]:
    """Filter out unusable runs.

    Args:
        runs: Run directories to filter.
        reasons: Reason for each unusable run, by its path.
        error: Type of the error to raise with the reason.

    Returns:
        The usable runs.

    Raises:
        RumError: If the user named an unusable run, or no usable run is left.
    """
    for run in runs:
        if run.path in reasons and (run.is_typed or len(reasons) == len(runs)):
            raise error(reasons[run.path])
    for reason in reasons.values():
        console.note(f"left out: {reason}")
    return [run for run in runs if run.path not in reasons]
