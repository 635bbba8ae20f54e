"""Packages import downward only; see docs/contributing.md."""

import ast
import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "rumcli"

MAY_IMPORT = {
    "errors": set(),
    "parsing": {"errors"},
    "atomic_io": set(),
    "system_info": set(),
    "signals": set(),
    "json_schemas": set(),
    "output_dirs": {"errors"},
    "plugins": {"errors"},
    "backends": {"errors", "parsing"},
    "cells": {"config"},
    "data": {"errors"},
    "field_types": set(),
    "task_table": {"field_types", "parsing"},
    "config": {"atomic_io", "errors", "field_types", "parsing", "task_table"},
    "models": {"cells", "config", "errors", "plugins"},
    "tasks": {"config", "data", "errors", "json_schemas", "models", "task_table"},
    "layers": {"cells", "models"},
    "training": {
        "",
        "atomic_io",
        "backends",
        "config",
        "data",
        "errors",
        "json_schemas",
        "models",
        "output_dirs",
        "parsing",
        "plugins",
        "signals",
        "system_info",
        "task_table",
        "tasks",
    },
    "jobs": {
        "atomic_io",
        "backends",
        "config",
        "errors",
        "field_types",
        "json_schemas",
        "output_dirs",
        "signals",
        "system_info",
        "training",
    },
    "analysis": {
        "backends",
        "cells",
        "config",
        "errors",
        "jobs",
        "json_schemas",
        "models",
        "task_table",
        "tasks",
        "training",
    },
    "export": {
        "atomic_io",
        "cells",
        "config",
        "errors",
        "json_schemas",
        "task_table",
        "tasks",
        "training",
    },
    "benchmark": {
        "cells",
        "config",
        "errors",
        "json_schemas",
        "parsing",
        "system_info",
        "task_table",
        "tasks",
        "training",
    },
    "sweeps": {
        "atomic_io",
        "config",
        "errors",
        "field_types",
        "jobs",
        "json_schemas",
        "parsing",
        "training",
    },
    "reproduction": {
        "atomic_io",
        "config",
        "errors",
        "field_types",
        "jobs",
        "json_schemas",
        "output_dirs",
        "parsing",
        "plugins",
        "training",
    },
    "reporting": {
        "analysis",
        "atomic_io",
        "config",
        "errors",
        "jobs",
        "json_schemas",
        "reproduction",
        "signals",
        "sweeps",
        "tasks",
        "training",
    },
    "cli": {
        "",
        "analysis",
        "atomic_io",
        "backends",
        "benchmark",
        "config",
        "data",
        "errors",
        "export",
        "jobs",
        "json_schemas",
        "output_dirs",
        "parsing",
        "plugins",
        "reporting",
        "reproduction",
        "signals",
        "sweeps",
        "system_info",
        "task_table",
        "tasks",
        "training",
    },
    "api": {"cli", "config", "errors", "json_schemas", "reporting", "sweeps", "training"},
}
ROOMS = [room for room in MAY_IMPORT if (PACKAGE / room).is_dir()]
# The table of the tasks and their configurations, below the configuration that is built from them.
TASK_TABLE = re.compile(r"tasks\.(registry|task_config|\w+\.(config|task_names))\b")


def files_in(room):
    """Return the files of a room."""
    table = [
        path
        for path in (PACKAGE / "tasks").rglob("*.py")
        if TASK_TABLE.match(".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    ]
    if room == "task_table":
        return table
    if room in ROOMS:
        return [path for path in (PACKAGE / room).rglob("*.py") if path not in table]
    return [PACKAGE / f"{room}.py"]


def imported_rooms(path, room=None):
    """Return the rooms that a file imports from; "" is the package itself.

    The table of the tasks names classes that it imports when they are needed.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body if room == "task_table" else ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "rumcli":
                is_table = TASK_TABLE.match(rest)
                room = "task_table" if is_table else rest.partition(".")[0]
                found.add(room if room in MAY_IMPORT else "")
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_layer_imports_only_from_lower_layers(room):
    for path in files_in(room):
        assert imported_rooms(path, room) - {room} <= MAY_IMPORT[room], path


def test_every_file_belongs_to_a_layer():
    tops = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert tops - {"__init__", "__main__", "__pycache__", "presets"} == set(MAY_IMPORT) - {
        "task_table"
    }


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
        if path != PACKAGE / "parsing.py":
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
    kernels = [*(PACKAGE / "cells" / "fused").iterdir()]
    for path in PACKAGE.rglob("*.py"):
        found = imported_at_once(path) & {"tensorflow", "jax", "torch"}
        assert len(found) <= (path in kernels), path


def imported_modules(path):
    """Return the modules of the package that a file imports when it is imported itself."""
    nodes, found = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rumcli"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            nodes += ast.iter_child_nodes(node)
    return found


MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "__init__.py"
}


def test_no_module_imports_itself_through_others():
    imports = {module: imported_modules(path) & set(MODULES) for module, path in MODULES.items()}
    while leaves := {module for module, found in imports.items() if not found}:
        imports = {
            module: found - leaves for module, found in imports.items() if module not in leaves
        }
    assert imports == {}


_WRITING = re.compile(
    r"""\.(write_text|write_bytes|touch|mkdir|makedirs)\(|open\([^)]*["'][wax]b?\+?["']"""
)
# Through `atomic_io`; a file that can't exist yet; nowhere.
_NO_MATTER = re.compile(r"""\batomic_io\.|open\("xb"\)|os\.devnull""")


@pytest.mark.parametrize(
    "room", ["training", "analysis", "export", "jobs", "sweeps", "reproduction"]
)
def test_runs_sweeps_and_tables_are_written_through_one_module(room):
    """Other writes do not survive a power cut, or follow links."""
    for path in (PACKAGE / room).rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not _WRITING.search(line) or _NO_MATTER.search(line), (path, line)
