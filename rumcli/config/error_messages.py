"""Error messages for pydantic's validation errors: place, expected form and given value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from rumcli import messages
from rumcli.config import schema
from rumcli.config.yaml_io import Document, KeyPath

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


def expected(finding: Mapping[str, Any]) -> str:
    """Return the expected form of the value in a validation error.

    Args:
        finding: Entry of `ValidationError.errors()`.
    """
    context = {
        key: messages.number(value) if type(value) in (int, float) else value
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
        named = f"'{'.'.join(path)}.name' is missing; {messages.plural(_what(path))}: {known}"
        return prefix_of(path, documents) + named
    if kind == "union_tag_invalid":
        unknown = messages.unknown(
            _what(path), _text(finding["input"].get("name")), schema.models_at(path, values)
        )
        return prefix_of((*path, "name"), documents) + unknown
    if kind == "missing":
        return f"{prefix_of(path, documents)}'{'.'.join(path)}' is missing"
    form = expected(finding)
    if kind == "model_attributes_type" and len(models := schema.models_at(path, values)) > 1:
        form = f"a mapping such as {{name: {next(iter(models))}}}"
    prefix = prefix_of(path, documents)
    of_flag = prefix.startswith("--") and not prefix.startswith("--set ")
    if kind != "value_error" and _may_be_null(path, values) and not of_flag:
        form += " or null"
    given = finding["input"]
    shown = "null" if given is None else messages.shown(given)
    return f"{prefix}expected {form}, got {shown}"


def _text(name: Any) -> str:
    return name if isinstance(name, str) else messages.shown(name)


def _may_be_null(path: KeyPath, values: Mapping[str, Any]) -> bool:
    *parents, key = path or ("",)
    inner: Any = values
    for parent in parents:
        inner = inner[parent]
    model = schema.chosen(schema.models_at(tuple(parents), values), inner)
    field = model.model_fields.get(key) if model else None
    return field is not None and type(None) in get_args(field.annotation)


def _what(section: KeyPath) -> str:
    """Return the noun for the models of a section: task, cell, optimizer or schedule."""
    return "cell" if section[-1] in ("fast", "slow") else section[-1]


def _key_path(finding: Mapping[str, Any], values: Mapping[str, Any]) -> KeyPath:
    # pydantic inserts the selected member of a union between a section and its key. After the key
    # it appends the attempted member of a union such as `float | None`.
    path: KeyPath = ()
    inner: Any = values
    for part in map(str, finding["loc"]):
        if not isinstance(inner, Mapping):
            break
        if part == inner.get("name") and len(schema.models_at(path, values)) > 1:
            continue
        path, inner = (*path, part), inner.get(part)
    return path


def prefix_of(path: KeyPath, documents: Sequence[Document]) -> str:
    """Return the prefix of a message: the place where the value at a key path was given.

    Args:
        path: Key path of the value.
        documents: Layers of the configuration, the one of highest precedence last.
    """
    for document in reversed(documents):
        if _holds(document.values, path):
            where = document.locate(path)
            named = where.startswith("--") or where == "TASK"
            return f"{where}: " if named else f"{where}: {'.'.join(path)}: "
    source = documents[0].source
    return f"{source}: " if source else ""


def _holds(values: Any, path: KeyPath) -> bool:
    for key in path:
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return True


def _unknown_key(path: KeyPath, values: Mapping[str, Any]) -> str:
    *parents, key = path
    if not parents:
        return messages.unknown("key", key, schema.RunConfig.model_fields)
    inner: Any = values
    for parent in parents:
        inner = inner[parent]
    section, models = ".".join(parents), schema.models_at(tuple(parents), values)
    model = schema.chosen(models, inner)
    fields = [field for field in model.model_fields if field != "name"] if model else []
    if len(models) == 1:
        return messages.unknown("key", key, fields).replace("keys:", f"keys of '{section}':")
    name = inner["name"]
    owners = [other for other, model in models.items() if key in model.model_fields]
    if owners:
        kinds = messages.plural(_what(tuple(parents)))
        return (
            f"{section} '{name}' has no option '{key}' ({kinds} that have it: "
            f"{', '.join(owners)}); its options: {', '.join(fields)}"
        )
    return messages.unknown("option", key, fields).replace("options:", f"options of '{name}':")
