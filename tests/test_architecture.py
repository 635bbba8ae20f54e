"""Packages import downward only; see docs/contributing.md."""

import ast
import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "rumcli"

MAY_IMPORT = {
    "backends": {"errors", "json_parser", "suggest"},
    "bounds": {"suggest"},
    "documents": set(),
    "errors": set(),
    "suggest": set(),
    "files": set(),
    "json_parser": set(),
    "folders": {"errors"},
    "lenient": set(),
    "machine": set(),
    "own_code": {"errors"},
    "signals": set(),
    "cells": set(),
    "data": {"errors"},
    "config": {"bounds", "errors", "lenient", "suggest", "files"},
    "tasks": {"cells", "data", "config", "documents", "errors", "own_code"},
    "training": {
        "tasks",
        "cells",
        "data",
        "backends",
        "bounds",
        "config",
        "documents",
        "errors",
        "files",
        "folders",
        "json_parser",
        "machine",
        "own_code",
        "signals",
        "suggest",
        "",
    },
    "layers": {"cells", "tasks"},
    "benchmark": {
        "training",
        "tasks",
        "cells",
        "backends",
        "config",
        "documents",
        "errors",
        "json_parser",
        "machine",
    },
    "jobs": {"training", "config", "documents", "errors", "files", "folders", "machine"},
    "sweeps": {
        "jobs",
        "training",
        "config",
        "documents",
        "errors",
        "files",
        "folders",
        "json_parser",
        "suggest",
    },
    "reproduction": {
        "jobs",
        "training",
        "bounds",
        "config",
        "documents",
        "errors",
        "files",
        "folders",
        "lenient",
        "own_code",
        "suggest",
    },
    "reporting": {
        "reproduction",
        "sweeps",
        "jobs",
        "training",
        "tasks",
        "config",
        "documents",
        "errors",
        "files",
        "signals",
        "suggest",
    },
    "api": {
        "cli",
        "reporting",
        "training",
        "config",
        "documents",
        "errors",
        "own_code",
    },
    "cli": {
        "reporting",
        "reproduction",
        "sweeps",
        "jobs",
        "files",
        "json_parser",
        "benchmark",
        "training",
        "tasks",
        "cells",
        "data",
        "backends",
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
def test_layer_imports_only_from_lower_layers(room):
    files = (PACKAGE / room).rglob("*.py") if room in ROOMS else [PACKAGE / f"{room}.py"]
    for path in files:
        assert imported_rooms(path) - {room} <= MAY_IMPORT[room], path


def test_every_file_belongs_to_a_layer():
    tops = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert tops - {"__init__", "__main__", "__pycache__", "presets"} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", ROOMS)
def test_every_layer_documents_its_contents(room):
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


def test_only_one_parser_reads_json():
    """It has limits on size and depth; others let anyone end a command with a traceback."""
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "json_parser.py":
            assert not re.search(r"json\.loads?\(", path.read_text(encoding="utf-8")), path


def imported_at_once(path):
    """Return the packages that a file imports when it is imported itself."""
    nodes, found = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            nodes += ast.iter_child_nodes(node)
    return found


def test_no_backend_is_imported_before_it_is_needed():
    """Each runs without the others. A file of the kernels may be for one of them."""
    kernels = [*(PACKAGE / "cells" / "kernels").iterdir()]
    for path in PACKAGE.rglob("*.py"):
        found = imported_at_once(path) & {"tensorflow", "jax", "torch"}
        assert len(found) <= (path in kernels), path


_WRITING = re.compile(
    r"""\.(write_text|write_bytes|touch|mkdir|makedirs)\(|open\([^)]*["'][wax]b?\+?["']"""
)
# Through `files`; a file that can't exist yet; nowhere.
_NO_MATTER = re.compile(r"""\bfiles\.|open\("xb"\)|os\.devnull""")


@pytest.mark.parametrize("room", ["training", "jobs", "sweeps", "reproduction"])
def test_runs_sweeps_and_tables_are_written_through_one_module(room):
    """Other writes do not survive a power cut, or follow links."""
    for path in (PACKAGE / room).rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not _WRITING.search(line) or _NO_MATTER.search(line), (path, line)
