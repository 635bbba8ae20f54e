"""The documents of `--json`, held against their schemas in docs/schemas."""

import json
from functools import cache
from pathlib import Path

import jsonschema

from rumcli import documents

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"


def file_of(kind):
    """Return the name of the schema file of a kind of document."""
    _, name, version = documents.schema(kind).split("/")
    return f"{name}-{version}.json"


@cache
def validator(kind):
    """Return the validator of a kind of document."""
    schema = json.loads((SCHEMAS / file_of(kind)).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def validated(text, kind):
    """Return the document that a command has printed.

    Asserts that it is all that the command has printed, with its kind and version first, and as
    its schema says.

    Args:
        text: The output on stdout.
        kind: One of `documents.KINDS`.
    """
    found = json.loads(text, parse_constant=_refuse)
    assert text.endswith("}\n")
    assert next(iter(found.items())) == ("schema", documents.schema(kind))
    wrong = [f"{error.json_path}: {error.message}" for error in validator(kind).iter_errors(found)]
    assert wrong == []
    return found


def _refuse(name):
    raise AssertionError(f"{name} is not JSON")
