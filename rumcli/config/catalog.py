"""Catalog of presets, cells and tasks: files of the presets, and the options that can be set."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rumcli import errors, parsing
from rumcli.config import schema, yaml_io
from rumcli.errors import ConfigError
from rumcli.field_types import LARGEST
from rumcli.tasks.task_config import TaskSection

_PACKAGE = Path(__file__).resolve().parent.parent

_SOURCE = re.compile(r"^Source: (.+)$", flags=re.MULTILINE)


def preset_folder() -> Path:
    """Return the directory of presets: in the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "presets"
    return installed if installed.is_dir() else _PACKAGE.parent / "presets"


def preset_names() -> list[str]:
    """Return the names of the presets, in alphabetical order."""
    return sorted(path.stem for path in preset_folder().glob("*.yaml"))


def preset_path(name: str) -> Path:
    """Return the file of a preset in the package.

    Args:
        name: Name of the preset.

    Raises:
        ConfigError: If there is no such preset.
    """
    name = parsing.name(name, preset_names())
    if name not in preset_names():
        raise ConfigError(errors.unknown("preset", name, preset_names()))
    return preset_folder() / f"{name}.yaml"


def locate_preset(name_or_file: str) -> Path:
    """Return the file of a preset in the package, or the path of any other file.

    Args:
        name_or_file: Name of a preset or path of a file. A string without `.yaml` and `/` is a
            preset name, unless only a file with this name exists.

    Raises:
        ConfigError: If there is no such preset.
    """
    path = Path(name_or_file)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if looks_like_file or (path.is_file() and not is_preset_name(name_or_file)):
        return path
    return preset_path(name_or_file)


def shipped(kind: str) -> list[str]:
    """Return the names of the package's tables or sweeps, in alphabetical order.

    Args:
        kind: `"table"` or `"sweep"`.
    """
    return sorted(path.stem for path in (preset_folder() / f"{kind}s").glob("*.yaml"))


def locate_shipped(kind: str, name_or_file: str) -> Path:
    """Return the file of a table or sweep in the package, or the path of any other file.

    Args:
        kind: `"table"` or `"sweep"`.
        name_or_file: Name from `shipped(kind)`, or path of a file. A string without `.yaml` and
            `/` is a name, unless only a file with this name exists.

    Raises:
        ConfigError: If there is no such name.
    """
    path, known = Path(name_or_file), shipped(kind)
    name = parsing.name(name_or_file, known)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if looks_like_file or (name not in known and path.is_file()):
        return path
    if name not in known:
        raise ConfigError(f"{errors.unknown(kind, name, known)}; or a YAML file of yours")
    return preset_folder() / f"{kind}s" / f"{name}.yaml"


def is_preset_name(text: str) -> bool:
    """Return whether a string is the name of a preset in the package, ignoring case."""
    return parsing.name(text, preset_names()) in preset_names()


def read_preset(name_or_file: str) -> yaml_io.Document:
    """Read a preset by its name, or any YAML file by its path.

    Args:
        name_or_file: As for `locate_preset`.

    Raises:
        ConfigError: If there is no such preset or file, or it can't be parsed.
    """
    path = locate_preset(name_or_file)
    document = yaml_io.read(path)
    if path.parent != preset_folder():
        return document
    # Messages show its name: the user cannot edit files of the installed package.
    return dataclasses.replace(document, source=f"preset '{path.stem}'")


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
        metrics=list(model.validated_metrics()) if issubclass(model, TaskSection) else [],
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
    for name in preset_names():
        values = yaml_io.read(preset_path(name)).values
        found.setdefault(values["task"]["name"], []).append(name)
    return found
