"""Descriptions of the cells and tasks, from the pydantic models of their sections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from rumcli.config import preset_files, schema, yaml_io
from rumcli.config.field_types import LARGEST
from rumcli.config.task_config import validated_figures

_SOURCE = re.compile(r"^Source: (.+)$", flags=re.MULTILINE)


@dataclass(frozen=True)
class Option:
    """An option of a section.

    Attributes:
        name: Key of the option.
        default: Default value.
        values: Description of the accepted values, as in "an integer ≥ 1".
        description: Meaning of the option; None if the name is self-explanatory.
    """

    name: str
    default: Any
    values: str
    description: str | None


@dataclass(frozen=True)
class Entry:
    """A cell or a task.

    Attributes:
        name: Name of the cell or task.
        description: Description in one sentence.
        source: Reference to the paper.
        options: Options of its section.
        metrics: Validation metrics of a task; empty for a cell.
        presets: Names of a task's presets; empty for a cell.
    """

    name: str
    description: str
    source: str
    options: list[Option]
    metrics: list[str]
    presets: list[str]


def entries(section: str) -> list[Entry]:
    """Return the entries of all cells or tasks, in the order of the schema.

    Args:
        section: `"cell"` or `"task"`.
    """
    models = schema.models_in(schema.RunConfig.model_fields[section].annotation)
    shipped = _presets_by_task() if section == "task" else {}
    return [_entry(name, models[name], shipped.get(name, [])) for name in schema.names(section)]


def _entry(name: str, model: type[BaseModel], shipped: list[str]) -> Entry:
    text = inspect.cleandoc(model.__doc__ or "")
    source = _SOURCE.search(text)
    whole = model.model_json_schema()
    return Entry(
        name,
        description=text.partition("\n")[0],
        source=source[1] if source else "",
        options=[
            _option(key, content, whole.get("$defs", {}))
            for key, content in whole["properties"].items()
            if key != "name"
        ],
        metrics=list(validated_figures(model)) if hasattr(model, "figures") else [],
        presets=shipped,
    )


def _option(name: str, content: Mapping[str, Any], definitions: Mapping[str, Any]) -> Option:
    return Option(name, content.get("default"), _values(content), content.get("description"))


def _values(content: Mapping[str, Any]) -> str:
    """Return a description of the values that a JSON schema accepts."""
    if "anyOf" in content:
        return " or ".join(_values(one) for one in content["anyOf"])
    if "oneOf" in content:  # a section whose name selects its model
        return f"a section named {', '.join(content['discriminator']['mapping'])}"
    if "const" in content:
        return str(content["const"])
    if "enum" in content:
        return ", ".join(map(str, content["enum"]))
    words = {"boolean": "true or false", "integer": "an integer", "number": "a number"}
    words |= {"null": "null", "string": "text", "object": "a mapping", "array": "a list"}
    word = words.get(content.get("type", ""), "any value")
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [
        f"{sign} {content[key]:g}"
        for key, sign in bounds.items()
        if key in content and content[key] != LARGEST
    ]
    return f"{word} {', '.join(limits)}" if limits else word


def _presets_by_task() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in preset_files.names():
        values = yaml_io.read(preset_files.path_of(name)).values
        found.setdefault(values["task"]["name"], []).append(name)
    return found
