"""The runs that a command is about: run folders, or folders that hold them."""

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
    """A run folder.

    Attributes:
        path: The folder.
        is_typed: Whether the user named it; else it was found in a folder that the user named.
    """

    path: Path
    is_typed: bool


def find(paths: Sequence[Path], parts: bool) -> list[Named]:
    """Return each run once, in the order in which the runs are named.

    Args:
        paths: Run folders, or folders of runs such as `runs`, a sweep's or a reproduction's.
        parts: Whether a run of all subtasks, which has no records of its own, stands for the runs
            inside it.

    Raises:
        ConfigError: If a path can't be looked at.
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
    except OSError:  # reported when it is opened as a run folder
        inside = []
    if not inside:
        return [Named(path, True)]
    return [Named(inner, False) for inner in sorted(inside, key=_natural)]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def usable(runs: Sequence[Named], reasons: dict[Path, str], error: type[RumError]) -> list[Named]:
    """Leave out runs that can't be used.

    Args:
        runs: The runs.
        reasons: Why a run can't be used, by its path.
        error: The error that is raised with the reason.

    Returns:
        The others.

    Raises:
        RumError: If the user named such a run, or none is left.
    """
    for run in runs:
        if run.path in reasons and (run.is_typed or len(reasons) == len(runs)):
            raise error(reasons[run.path])
    for reason in reasons.values():
        console.note(f"left out: {reason}")
    return [run for run in runs if run.path not in reasons]
