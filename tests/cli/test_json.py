"""`--json`: every command has it; schemas, documentation and tests cover every document.

That documents are as their schemas say, `validated` asserts where the commands are tested.
"""

import ast
import os
import re
import sys
from pathlib import Path

import jsonschema
import pytest
import typer

from rumcli import json_schemas
from rumcli.cli.app import app, main
from rumcli.json_schemas.inputs import PresetCopy
from rumcli.reporting import console
from rumcli.tasks import registry
from tests.cli.commands import python
from tests.documents import KINDS, OPEN, SCHEMAS, validated, validator
from tests.marks import needs_posix

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")
FILES = sorted(path.name for path in SCHEMAS.iterdir())


def leaves(command, name="rum"):
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for word, one in (inner or {}).items():
        yield from leaves(one, f"{name} {word}")


COMMANDS = dict(leaves(typer.main.get_command(app)))


def subschemas(schema):
    """Yield all schemas within a schema, each with its own place."""
    yield schema
    for inner in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]:
        yield from subschemas(inner)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from subschemas(schema[name])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_json(command):
    assert "--json" in [name for option in COMMANDS[command].params for name in option.opts]


def test_the_page_lists_every_command_and_every_schema_file():
    rows = re.findall(
        r"^\| `(rum [^`]+)` \| \[[^]]+\]\(schemas/([^)]+)\)", PAGE, flags=re.MULTILINE
    )
    tasks = registry.with_examples()
    typed = {command.replace("TASK", task) for command, _ in rows for task in tasks}
    listed = [[c for c in COMMANDS if f"{command} ".startswith(f"{c} ")] for command in typed]
    assert {command for (command,) in listed} == set(COMMANDS)
    assert sorted(file for _, file in rows) == FILES


def test_every_schema_file_is_generated_from_a_model():
    assert sorted(model.file_name() for model in json_schemas.models().values()) == FILES


def test_every_kind_is_validated_in_the_tests_of_its_command():
    seen = set()
    for path in (ROOT / "tests" / "cli").glob("test_*.py"):
        if path != Path(__file__):
            seen |= kinds_validated_in(ast.parse(path.read_text(encoding="utf-8")))
    assert set(KINDS) - seen == set()


def kinds_validated_in(tree):
    """Return the kinds that a module passes to `validated`; a placeholder stands for all values.

    As in `validated(out, f"gen-data-{task}")`.
    """
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "validated":
            continue
        match node.args[1]:
            case ast.Constant(value=kind):
                found.add(kind)
            case ast.JoinedStr(values=[ast.Constant(value=start), *_]):
                found |= {kind for kind in KINDS if kind.startswith(start)}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_schema_describes_every_key_and_rejects_others(kind):
    schema = validator(kind).schema
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"][0] == "schema"
    assert schema["title"]
    command = {"prediction": "eval"}.get(kind, kind.split("-")[0])
    assert f"rum {command}" in schema["description"]
    assert all("description" in one for one in schema.get("$defs", {}).values())
    for one in subschemas(schema):
        keys = one.get("properties", {})
        assert set(one.get("required", [])) <= set(keys)
        # One with the description of its section has only the reference to that.
        described = ("description", "$ref")
        assert [k for k, inner in keys.items() if not any(d in inner for d in described)] == []
        # The sections of a configuration are described elsewhere; versions are under the names of
        # packages.
        if "properties" in one and one.get("additionalProperties") is not False:
            assert kind in (*OPEN, "train-dry-run", "presets-show", "doctor", "bench")


@pytest.mark.parametrize(
    "wrong",
    [
        'note\n{"schema": "rum/presets-copy/1", "preset": "a", "path": "b"}\n',
        '{"schema": "rum/presets-copy/1", "preset": "a", "path": "b"}\nnote\n',
        '{"schema": "rum/presets-copy/2", "preset": "a", "path": "b"}\n',
        '{"preset": "a", "path": "b", "schema": "rum/presets-copy/1"}\n',
        '{"schema": "rum/presets-copy/1", "preset": "a"}\n',
        '{"schema": "rum/presets-copy/1", "preset": "a", "path": 1}\n',
        '{"schema": "rum/presets-copy/1", "preset": "a", "path": "b", "more": 1}\n',
    ],
)
def test_document_that_violates_its_schema_is_detected(wrong):
    validated('{"schema": "rum/presets-copy/1", "preset": "a", "path": "b"}\n', "presets-copy")
    with pytest.raises((AssertionError, ValueError)):
        validated(wrong, "presets-copy")


def test_schema_of_a_document_read_from_a_file_is_replaced(capsys):
    console.show_document(PresetCopy.read({"preset": "a", "schema": "theirs", "path": "b"}))
    assert validated(capsys.readouterr().out, "presets-copy")["preset"] == "a"


@pytest.mark.parametrize("arguments", ["eval nowhere", "presets show recal", "plot nowhere"])
def test_an_error_leaves_stdout_empty(capsys, arguments):
    assert main([*arguments.split(), "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("rum: error: ")


@pytest.mark.e2e
@needs_posix
def test_the_example_of_the_page_runs(tmp_path):
    (code,) = re.findall(r"```python\n(import json\n.*?)```", PAGE, flags=re.DOTALL)
    command = tmp_path / "rum"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rumcli "$@"\n')
    command.chmod(0o755)
    result = python(code, tmp_path, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert result.returncode == 0, result.stderr
    assert "\nrecall\trecall\t" in result.stdout
