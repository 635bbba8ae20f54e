"""Validation of files that describe many runs; errors are reported with their place."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from rumcli import messages
from rumcli.config import schema
from rumcli.config.error_messages import expected
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def validated(document: Document, model: type[_Model], place: KeyPath = ()) -> _Model:
    """Validate a document, or a section of it.

    Args:
        document: Parsed file.
        model: Pydantic model of the keys.
        place: Key path of the section; empty for the whole document.

    Returns:
        Instance of the model.

    Raises:
        ConfigError: If a key or a value is wrong, or a key is missing.
    """
    values: Any = document.values
    for key in place:
        values = values[key]
    try:
        return model.model_validate(schema.normalized(model, values))
    except ValidationError as error:
        finding = _first(error)
    path = _path(finding["loc"], values)
    where = f"{document.locate((*place, *path))}: "
    if finding["type"] == "extra_forbidden":
        known = _model_at(model, path[:-1])
        raise ConfigError(where + messages.unknown("key", path[-1], known.model_fields))
    if finding["type"] == "missing":
        name = ".".join(map(str, finding["loc"]))
        raise ConfigError(f"{where}'{name}' is missing")
    given = messages.shown(finding["input"])
    name = ".".join((*place, *path))
    raise ConfigError(f"{where}{name}: expected {expected(finding)}, got {given}")


def _first(error: ValidationError) -> Any:
    """Return the error to report: an unknown key first, because it may be a misspelled one."""
    found = error.errors()
    return next((one for one in found if one["type"] == "extra_forbidden"), found[0])


def layer(document: Document, *sections: tuple[KeyPath, Mapping[str, Any]]) -> Document:
    """Build a configuration layer from dotted key paths, with their positions in the file.

    Args:
        document: Parsed file.
        *sections: Pairs of a key path in the file and the settings there, by dotted key path. A
            later pair takes precedence.
    """
    made = Document(document.source, {})
    for place, settings in sections:
        for key, value in settings.items():
            path = tuple(key.split("."))
            values = made.values
            for part in path[:-1]:
                inner = values.get(part)
                if not isinstance(inner, dict):
                    inner = values[part] = {}
                values = inner
            values[path[-1]] = copy.deepcopy(value)  # another section may extend it
            if position := document.positions.get((*place, key)):
                made.positions[path] = position
    return made


def check_apart(document: Document, place: KeyPath, keys: Collection[str]) -> None:
    """Check that no key path is a prefix of another one, which would be ambiguous.

    Args:
        document: Parsed file.
        place: Key path of the section.
        keys: Dotted key paths in the section.

    Raises:
        ConfigError: If a key path is a prefix of another one.
    """
    for key in keys:
        above = next((other for other in keys if key.startswith(f"{other}.")), None)
        if above is not None:
            where = document.locate((*place, key))
            raise ConfigError(f"{where}: {key}: it is a part of '{above}', which is there too")


def check_key(document: Document, place: KeyPath, key: str) -> None:
    """Check that a dotted key path is well formed and not reserved for a key of the file.

    Args:
        document: Parsed file.
        place: Key path of the section.
        key: Dotted key path.

    Raises:
        ConfigError: If the key path is malformed, or sets the seed or the task.
    """
    where = f"{document.locate((*place, key))}: {key}: "
    if key == "seed":
        raise ConfigError(f"{where}expected the seeds under 'seeds'")
    if key in ("task", "task.name"):
        raise ConfigError(f"{where}the task is the same for all; give it as 'task: NAME'")
    if not all(key.split(".")):
        raise ConfigError(f"{where}expected a key path, as in optimizer.learning_rate")


def _path(location: tuple[Any, ...], values: Any) -> KeyPath:
    """Return the keys of a location, without the union members that pydantic inserts."""
    path: KeyPath = ()
    for part in location:
        if isinstance(values, Mapping) and part in values:
            path, values = (*path, str(part)), values[part]
    return path


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """Return the model of a section; keys of mappings to sections are skipped."""
    for key in path:
        if key in model.model_fields:
            model = _model_in(model.model_fields[key].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for one in [annotation, *get_args(annotation)]:
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None
