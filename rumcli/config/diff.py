"""Keys in which several configurations differ, and labels from their values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from rumcli.config.schema import RunConfig
from rumcli.config.yaml_io import KeyPath


def varying(runs: Sequence[RunConfig]) -> dict[KeyPath, list[Any]]:
    """Return the keys in which configurations differ.

    A key that some configurations lack, such as an option of one cell, is included if its values
    differ among the others. A key that has only default values, such as each cell's own
    activation, is not included.

    Args:
        runs: Configurations to compare.

    Returns:
        Keys in the order of `config.yaml`, each with its value in every run; None for a run that
        lacks the key.
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
    """Return a label for each configuration: the values that distinguish it, its cell first.

    Args:
        runs: Configurations to label.

    Returns:
        Labels such as `"gru"`, `"arum, time_norm=2.0"` and `"arum, time_norm=null"`. Equal
        configurations have equal labels. All labels are empty if all configurations are equal.
    """
    parts: list[list[str]] = [[] for _ in runs]
    _split(list(enumerate(runs)), parts)
    return [", ".join(part) for part in parts]


def _split(runs: Sequence[tuple[int, RunConfig]], parts: list[list[str]]) -> None:
    """Append to `parts` the values that distinguish the numbered runs, key by key."""
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
    """Yield each key of a section with its value and whether that is the default."""
    fields = type(section).model_fields
    for key in sorted(fields, key=lambda key: key != "name"):  # stable for the others
        field = fields[key]
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _flat((*path, key), value)
        else:
            yield (*path, key), (value, value == field.default)
