"""Provenance of the runs of a table, from the environment that each has recorded."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from rumcli import files
from rumcli.jobs.events import Job
from rumcli.jobs.folder import JobFolder

_VERSIONS = ("rum", "python", "keras", "numpy")
_LONGEST = 500  # characters of text that may come from elsewhere
_ENVIRONMENT = "environment.json"


def of(folder: JobFolder, jobs: Iterable[Job]) -> dict[str, Any]:
    """Return the commands that made runs, in their order, and the machines with their versions.

    A run that was resumed has several. One with an invalid record, or without one, has none.
    """
    noted = [_parts(folder.run_folder(job).read_json(_ENVIRONMENT)) for job in jobs]
    rounds = [part for at_once in itertools.zip_longest(*noted) for part in at_once if part]
    return {
        "commands": _distinct(map(_command, rounds)),
        "machines": _distinct(map(_machine, rounds)),
    }


def _parts(environment: Any) -> list[dict[str, Any]]:
    if not isinstance(environment, dict):
        return []
    parts = [environment, *_list(environment, "resumed")]
    return [part for part in parts if isinstance(part, dict)]


def _command(part: Mapping[str, Any]) -> str | None:
    words = part.get("command")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words[1:]):
        return None
    return _line(shlex.join(["rum", *words[1:]])) if words else None


def _machine(part: Mapping[str, Any]) -> dict[str, Any] | None:
    processor, cores, backend = (part.get(key) for key in ("processor", "cores", "backend"))
    names = [*_VERSIONS, *([backend] if isinstance(backend, str) else [])]
    found = {
        "processor": _line(processor) if isinstance(processor, str) else None,
        "cores": cores if type(cores) is int and cores > 0 else None,
        "accelerators": [_line(one) for one in _list(part, "accelerators") if isinstance(one, str)],
        "versions": {_line(n): _line(v) for n in names if isinstance(v := part.get(n), str)},
    }
    return found if any(found.values()) else None


def _list(part: Mapping[str, Any], key: str) -> list[Any]:
    found = part.get(key)
    return found if isinstance(found, list) else []


def _line(text: str) -> str:
    text = files.readable(text)
    return "".join(letter for letter in text if letter.isprintable())[:_LONGEST]


def _distinct(found: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for one in found:
        if one is not None and one not in kept:
            kept.append(one)
    return kept
