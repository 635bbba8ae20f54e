"""The rooms of the house import downwards only; see docs/architecture.md."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "rumcli"

MAY_IMPORT = {
    "bounds": {"suggest"},
    "documents": set(),
    "errors": set(),
    "suggest": set(),
    "files": set(),
    "folders": {"errors"},
    "lenient": set(),
    "machine": set(),
    "own_code": {"errors"},
    "signals": set(),
    "cells": set(),
    "data": {"errors"},
    "config": {"bounds", "errors", "lenient", "suggest", "files"},
    "tasks": {"cells", "data", "config", "errors", "own_code"},
    "training": {
        "tasks",
        "cells",
        "data",
        "bounds",
        "config",
        "documents",
        "errors",
        "files",
        "folders",
        "machine",
        "signals",
        "suggest",
        "",
    },
    "layers": {"cells", "tasks"},
    "benchmark": {"training", "tasks", "cells", "config", "errors", "machine"},
    "sweeps": {"training", "config", "errors", "files", "folders", "suggest"},
    "reproduction": {
        "sweeps",
        "training",
        "bounds",
        "config",
        "errors",
        "files",
        "lenient",
        "own_code",
        "suggest",
    },
    "reporting": {
        "reproduction",
        "sweeps",
        "training",
        "tasks",
        "config",
        "documents",
        "errors",
        "files",
        "signals",
        "suggest",
    },
    "cli": {
        "reporting",
        "reproduction",
        "sweeps",
        "files",
        "benchmark",
        "training",
        "tasks",
        "cells",
        "data",
        "config",
        "documents",
        "errors",
        "folders",
        "lenient",
        "machine",
        "own_code",
        "signals",
        "suggest",
        "",
    },
}
ROOMS = [room for room in MAY_IMPORT if (PACKAGE / room).is_dir()]


def imported_rooms(path):
    """Return the rooms that a file imports from; "" is the package itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "rumcli":
                room = rest.partition(".")[0]
                found.add(room if room in MAY_IMPORT else "")
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_below(room):
    files = (PACKAGE / room).rglob("*.py") if room in ROOMS else [PACKAGE / f"{room}.py"]
    for path in files:
        assert imported_rooms(path) - {room} <= MAY_IMPORT[room], path


def test_every_file_is_in_a_room():
    tops = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert tops - {"__init__", "__main__", "__pycache__", "presets"} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_lives_in_it(room):
    tree = ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)


def test_only_reporting_prints():
    for path in PACKAGE.rglob("*.py"):
        names = {
            n.id
            for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(n, ast.Name)
        }
        assert "print" not in names, path
