"""Turn one finding of pydantic into one line: where, what was expected, what was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rumcli import suggest
from rumcli.config import schema
from rumcli.config.yaml_file import Document, KeyPath

_EXPECTED = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "value_error": "{error}",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
}


def explain(
    finding: Mapping[str, Any], values: Mapping[str, Any], documents: Sequence[Document]
) -> str:
    """Say what is wrong.

    Args:
        finding: One of `ValidationError.errors()`.
        values: What was validated.
        documents: The layers that `values` were made of, the strongest last.
    """
    path = _key_path(finding, values)
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "extra_forbidden":
        return _prefix(path, documents) + _unknown_key(path, values)
    if kind == "union_tag_not_found":
        known = ", ".join(schema.names(path[0]))
        return f"{_prefix(path, documents)}'{path[0]}.name' is missing; {path[0]}s: {known}"
    if kind == "union_tag_invalid":
        given = str(values[path[0]].get("name"))
        unknown = suggest.unknown(path[0], given, schema.names(path[0]))
        return _prefix((*path, "name"), documents) + unknown
    if kind == "missing":
        return f"{_prefix(path, documents)}'{'.'.join(path)}' is missing"
    expected = _EXPECTED.get(kind, finding["msg"]).format(**context)
    prefix = _prefix(path, documents)
    of_flag = prefix.startswith("--") and not prefix.startswith("--set ")
    if path and path[-1] in ("time_norm", "bias_initializer", "clip_norm") and not of_flag:
        expected += " or null"
    given = finding["input"]
    shown = "null" if given is None else repr(given)
    return f"{prefix}expected {expected}, got {shown}"


def _key_path(finding: Mapping[str, Any], values: Mapping[str, Any]) -> KeyPath:
    # pydantic puts the chosen member of a union between the section and its key.
    path = tuple(str(part) for part in finding["loc"])
    if len(path) > 1 and path[0] in schema.CHOICES:
        path = (path[0], *path[2:])
    # ... and after the key, which member of a union such as `float | None` was tried.
    inner: Any = values
    for length, key in enumerate(path):
        if not isinstance(inner, Mapping):
            return path[:length]
        inner = inner.get(key)
    return path


def _prefix(path: KeyPath, documents: Sequence[Document]) -> str:
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
        return suggest.unknown("key", key, schema.RunConfig.model_fields)
    section = parents[0]
    if section not in schema.CHOICES:
        fields = schema.keys_of(section)
        return suggest.unknown("key", key, fields).replace("keys:", f"keys of '{section}':")
    name = values[section]["name"]
    fields = [field for field in schema.model_of(section, name).model_fields if field != "name"]
    owners = [
        other
        for other in schema.names(section)
        if key in schema.model_of(section, other).model_fields
    ]
    if owners:
        return (
            f"{section} '{name}' has no option '{key}' ({section}s that have it: "
            f"{', '.join(owners)}); its options: {', '.join(fields)}"
        )
    return suggest.unknown("option", key, fields).replace("options:", f"options of '{name}':")
