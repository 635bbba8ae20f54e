"""The documents of `--json`, held against their schemas in docs/schemas."""

import json
from functools import cache
from pathlib import Path

import jsonschema

from rumcli import config

SCHEMAS = Path(__file__).parent.parent / "docs" / "schemas"


KINDS = sorted(path.stem.rpartition("-")[0] for path in SCHEMAS.iterdir())
# A user's own task may add keys.
OPEN = ("train", "eval")


@cache
def validator(kind):
    """Return the validator of a kind of document."""
    (path,) = SCHEMAS.glob(f"{kind}-[0-9].json")
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


def validated(text, kind):
    """Return the document that a command has printed.

    Asserts that it is all that the command has printed, with its kind and version first, and as
    its schema says.

    Args:
        text: The output on stdout.
        kind: One of `KINDS`.
    """
    found = json.loads(text, parse_constant=_refuse)
    assert text.endswith("}\n")
    properties = validator(kind).schema["properties"]
    assert next(iter(found.items())) == ("schema", properties["schema"]["const"])
    wrong = [f"{error.json_path}: {error.message}" for error in validator(kind).iter_errors(found)]
    assert wrong == []
    if kind in OPEN and found["task"] in config.names("task"):
        assert set(found) <= set(properties)
    return found


def _refuse(name):
    raise AssertionError(f"{name} is not JSON")
