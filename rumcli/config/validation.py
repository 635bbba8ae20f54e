"""Validation of settings, and error messages that name the key and the expected value."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from rumcli import errors
from rumcli.config import schema
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError

_EXPECTED = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "string_unicode": "text that is valid Unicode",
    "finite_number": "a finite number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "at most {le}",
    "string_pattern_mismatch": "a name as in package.module:Class",
    "too_short": "{min_length} or more items",
    "too_long": "at most {max_length} items",
    "literal_error": "{expected}",
    "value_error": "{error}",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "list_type": "a list",
}

_Model = TypeVar("_Model", bound=BaseModel)


def expected(finding: Mapping[str, Any]) -> str:
    """Return the expected form of the value in a validation error.

    Args:
        finding: Entry of `ValidationError.errors()`.
    """
    context = {
        key: errors.number(value) if type(value) in (int, float) else value
        for key, value in finding.get("ctx", {}).items()
    }
    return _EXPECTED.get(finding["type"], finding["msg"]).format(**context)


def explain(
    finding: Mapping[str, Any], values: Mapping[str, Any], documents: Sequence[Document]
) -> str:
    """Return a one-line message for a validation error.

    Args:
        finding: Entry of `ValidationError.errors()`.
        values: Validated values.
        documents: Layers that were merged into `values`, the one of highest precedence last.
    """
    path = _key_path(finding, values)
    kind = finding["type"]
    if kind == "extra_forbidden":
        return prefix_of(path, documents) + _unknown_key(path, values)
    if kind == "union_tag_not_found":
        known = ", ".join(schema.models_at(path, values))
        named = f"'{'.'.join(path)}.name' is missing; {errors.plural(_noun(path))}: {known}"
        return prefix_of(path, documents) + named
    if kind == "union_tag_invalid":
        unknown = errors.unknown(
            _noun(path), _text(finding["input"].get("name")), schema.models_at(path, values)
        )
        return prefix_of((*path, "name"), documents) + unknown
    if kind == "missing":
        return f"{prefix_of(path[:-1], documents)}'{'.'.join(path)}' is missing"
    prefix, given = prefix_of(path, documents), finding["input"]
    if kind == "model_attributes_type" and len(models := schema.models_at(path, values)) > 1:
        return prefix + not_a_mapping(path, given, list(models))
    form = expected(finding)
    holder = _holder(path, documents)
    accepts_null = holder is None or holder.may_be_null(path)
    if kind != "value_error" and _may_be_null(path, values) and accepts_null:
        form += " or null"
    shown = "null" if given is None else errors.shown(given)
    return f"{prefix}expected {form}, got {shown}"


def not_a_mapping(path: KeyPath, given: Any, names: Sequence[str]) -> str:
    """Return the message for a section that is selected by name, given another value.

    Args:
        path: Key path of the section.
        given: Value of the section.
        names: Names of its models.
    """
    is_name = isinstance(given, str) and given in names
    hint = f"; to select it: {'.'.join((*path, 'name'))}={given}" if is_name else ""
    name = given if is_name else names[0]
    return f"expected a mapping such as {{name: {name}}}, got {errors.shown(given)}{hint}"


def _text(name: Any) -> str:
    return name if isinstance(name, str) else errors.shown(name)


def _may_be_null(path: KeyPath, values: Mapping[str, Any]) -> bool:
    *parents, key = path or ("",)
    inner: Any = values
    for parent in parents:
        inner = schema.child(inner, parent)
    model = schema.chosen(schema.models_at(tuple(parents), values), inner)
    field = model.model_fields.get(key) if model else None
    return field is not None and type(None) in get_args(field.annotation)


def _noun(section: KeyPath) -> str:
    """Return the noun for the models of a section: task, cell, optimizer or schedule."""
    return "cell" if section[-1] in ("fast", "slow") else section[-1]


def _key_path(finding: Mapping[str, Any], values: Mapping[str, Any]) -> KeyPath:
    # pydantic inserts the selected member of a union between a section and its key. After the key
    # it appends the attempted member of a union such as `float | None`.
    path: KeyPath = ()
    inner: Any = values
    for part in map(str, finding["loc"]):
        if not isinstance(inner, Mapping | list):
            break
        name = schema.child(inner, "name")
        if part == name and len(schema.models_at(path, values)) > 1:
            continue
        path, inner = (*path, part), schema.child(inner, part)
    return path


def prefix_of(path: KeyPath, documents: Sequence[Document]) -> str:
    """Return the prefix of a message: the place where the value at a key path was given.

    Args:
        path: Key path of the value.
        documents: Layers of the configuration, the one of highest precedence last.
    """
    if (holder := _holder(path, documents)) is not None:
        return holder.prefix(path)
    source = documents[0].source
    return f"{source}: " if source else ""


def _holder(path: KeyPath, documents: Sequence[Document]) -> Document | None:
    """Return the layer of highest precedence that has a value at a key path."""
    return next((one for one in reversed(documents) if _holds(one.values, path)), None)


def _holds(values: Any, path: KeyPath) -> bool:
    for key in path:
        is_there = isinstance(values, Mapping) and key in values
        if not is_there and schema.child(values, key) is None:
            return False
        values = schema.child(values, key)
    return True


def _unknown_key(path: KeyPath, values: Mapping[str, Any]) -> str:
    *parents, key = path
    if not parents:
        return errors.unknown("key", key, schema.RunConfig.model_fields)
    inner: Any = values
    for parent in parents:
        inner = schema.child(inner, parent)
    section, models = ".".join(parents), schema.models_at(tuple(parents), values)
    model = schema.chosen(models, inner)
    fields = [field for field in model.model_fields if field != "name"] if model else []
    if len(models) == 1:
        return errors.unknown("key", key, fields).replace("keys:", f"keys of '{section}':")
    name = inner["name"]
    owners = [other for other, model in models.items() if key in model.model_fields]
    if owners:
        kinds = errors.plural(_noun(tuple(parents)))
        return (
            f"{section} '{name}' has no option '{key}' ({kinds} that have it: "
            f"{', '.join(owners)}); its options: {', '.join(fields)}"
        )
    return errors.unknown("option", key, fields).replace("options:", f"options of '{name}':")


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
        raise ConfigError(where + errors.unknown("key", path[-1], known.model_fields))
    if finding["type"] == "missing":
        name = ".".join(map(str, finding["loc"]))
        raise ConfigError(f"{where}'{name}' is missing")
    given = errors.shown(finding["input"])
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
    result = Document(document.source, {})
    for place, settings in sections:
        for key, value in settings.items():
            path = tuple(key.split("."))
            values = result.values
            for part in path[:-1]:
                inner = values.get(part)
                if not isinstance(inner, dict):
                    inner = values[part] = {}
                values = inner
            values[path[-1]] = copy.deepcopy(value)  # another section may extend it
            if position := document.positions.get((*place, key)):
                result.positions[path] = position
    return result


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
            raise ConfigError(f"{where}: {key}: it is part of '{above}', which is also set")


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
