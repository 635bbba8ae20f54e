"""The keys in which several configurations differ, and labels made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from rumcli.config.schema import RunConfig
from rumcli.config.yaml_io import KeyPath


def varying(runs: Sequence[RunConfig]) -> dict[KeyPath, list[Any]]:
    """Return the keys in which configurations differ.

    A key that not all of them have, such as an option of one cell, counts if those differ that have
    it. What follows from a name, as the activation that each cell has by itself, does not count.

    Args:
        runs: The configurations.

    Returns:
        The keys in the order of `config.yaml`, each with the values of all runs; None where a run
        does not have the key.
    """
    flat = [dict(_flat((), run)) for run in runs]
    found: dict[KeyPath, list[Any]] = {}
    for path in dict.fromkeys(path for one in flat for path in one):
        there = [one[path] for one in flat if path in one]
        values = [value for value, _ in there]
        differ = any(value != values[0] for value in values)
        if differ and (path[-1] == "name" or not all(is_default for _, is_default in there)):
            found[path] = [one[path][0] if path in one else None for one in flat]
    return found


def labels(runs: Sequence[RunConfig]) -> list[str]:
    """Return a label for each configuration: the values that set it apart, its cell first.

    Args:
        runs: The configurations.

    Returns:
        Labels such as `"gru"`, `"arum, time_norm=2.0"` and `"arum, time_norm=null"`. Equal
        configurations have equal labels, which are empty if there are no others.
    """
    parts: list[list[str]] = [[] for _ in runs]
    _split(list(enumerate(runs)), parts)
    return [", ".join(part) for part in parts]


def _split(runs: Sequence[tuple[int, RunConfig]], parts: list[list[str]]) -> None:
    """Add to `parts` what tells the numbered runs apart, one key after the other."""
    found = varying([run for _, run in runs])
    if not found:
        return
    key = ("cell", "name") if ("cell", "name") in found else next(iter(found))
    groups: dict[str, list[tuple[int, RunConfig]]] = {}
    for one, value in zip(runs, found[key], strict=True):
        label = str(value) if key[-1] == "name" else f"{'.'.join(key[1:] or key)}={_shown(value)}"
        parts[one[0]].append(label)
        groups.setdefault(label, []).append(one)
    for group in groups.values():
        _split(group, parts)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value)


def _flat(path: KeyPath, section: BaseModel) -> Iterator[tuple[KeyPath, tuple[Any, bool]]]:
    """Go through the keys of a section, each with its value and whether that is the default."""
    fields = type(section).model_fields
    for key in sorted(fields, key=lambda key: key != "name"):  # stable: the others as they are
        field = fields[key]
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _flat((*path, key), value)
        else:
            yield (*path, key), (value, value == field.default)
