"""Modules, functions and files that docstrings, comments and pages name exist."""

import ast
import functools
import io
import re
import tokenize

import pytest

from .test_docs import PAGES, ROOT, keys

SOURCES = sorted(
    path for part in ("rumcli", "tests", "docs", "examples") for path in (ROOT / part).rglob("*.py")
)
MODULES = [path for path in SOURCES if path.is_relative_to(ROOT / "rumcli")]
NAMES = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
_TREE = r"(?:rumcli|tests|docs|examples|presets|\.ci|\.github)"


@functools.cache
def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def prose_of(path):
    """Return the docstrings and comments of a Python file, or a whole page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    found = [
        ast.get_docstring(node) or ""
        for node in ast.walk(tree_of(path))
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    ]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return "\n".join(found)


@functools.cache
def defined_in(path):
    """Return the names that a module defines, at any depth."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


@functools.cache
def modules_by_name():
    found = {f"/{path.relative_to(ROOT).with_suffix('').as_posix()}": path for path in MODULES}
    return found | {name.removesuffix("/__init__"): path for name, path in found.items()}


def exists(dotted):
    """Return whether a dotted name resolves to a module or a definition in it."""
    *parents, last = parts = dotted.split(".")
    ends = ["/" + "/".join(one) for one in (parts, parents)]
    modules = modules_by_name()
    if any(name.endswith(ends[0]) for name in modules):
        return True
    there = [path for name, path in modules.items() if name.endswith(ends[1])]
    if dotted.startswith("rumcli.cells."):  # its names are made when they are asked for
        there += (ROOT / "rumcli/cells").glob("*.py")
    if parents == ["rumcli"]:  # so are its functions
        there += (ROOT / "rumcli/api").glob("*.py")
    return any(last in defined_in(path) for path in there)


def missing_names(path, text):
    """Yield the dotted names of this package in a text that lead nowhere."""
    code = path.read_text(encoding="utf-8") if path.suffix == ".py" else ""
    for dotted in re.findall(r"`([a-z_]\w*(?:\.[A-Za-z_]\w*)+)`", text):
        first, last = dotted.split(".")[0], dotted.rpartition(".")[2]
        is_name = first == "rumcli" or (path.suffix == ".py" and first in NAMES)
        is_other = dotted in KEYS or last in {"py", "md", "yaml", "json", "jsonl", "svg", "ckpt"}
        # A variable may have the name of a module.
        is_variable = f"{dotted}(" in code or re.search(rf"\b{first}: \w+", code)
        if is_name and not is_other and not is_variable and not exists(dotted):
            yield dotted


def missing_files(text):
    """Yield the files of this repository that a text names and that are not there."""
    named = re.findall(rf"(?<![\w/.])({_TREE}/[\w./-]+\.(?:py|md|ya?ml|svg|png|css))\b", text)
    for path in named:
        if not re.search("[A-Z]{2}", path) and not (ROOT / path).exists():
            yield path
    for name in re.findall(r"`([a-z_]\w*\.py)`", text):
        if not any(path.name == name for path in SOURCES):
            yield name


KEYS = set(keys()) | {f"config.{key}" for key in keys()}
EVERYWHERE = [*PAGES, *(path for path in SOURCES if path.name != "test_references.py")]


def test_every_module_and_function_that_is_named_exists():
    found = {
        (path.name, name) for path in EVERYWHERE for name in missing_names(path, prose_of(path))
    }
    assert sorted(found) == []


def test_every_name_of_the_api_reference_exists():
    text = (ROOT / "docs/library.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: (rumcli[.\w]+)$", text, flags=re.MULTILINE)
    assert len(named) > 10
    assert [name for name in named if not exists(name)] == []


def test_every_file_that_is_named_exists():
    found = {(path.name, name) for path in EVERYWHERE for name in missing_files(prose_of(path))}
    assert sorted(found) == []


def test_names_in_module_docstrings_exist():
    # A word in backticks is a module, a function, a class, or stands in the file itself.
    known = set(NAMES)
    for path in MODULES:
        known |= {node.name for node in tree_of(path).body if hasattr(node, "name")}
    for path in MODULES:
        code = path.read_text(encoding="utf-8").replace(docstring := module_docstring(path), "")
        named = re.findall(r"`([a-z][a-z_]+)`", docstring)
        wrong = [
            name for name in named if name not in known and not re.search(rf"\b{name}\b", code)
        ]
        assert wrong == [], path


def module_docstring(path):
    return ast.get_docstring(tree_of(path), clean=False) or ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See `rumcli.training.elsewhere_else`.", ["rumcli.training.elsewhere_else"]),
        ("See `lock.withheld` and `lock.held`.", ["lock.withheld"]),
        ("By `train.until`, into `config.yaml`.", []),
    ],
)
def test_unresolved_name_is_detected(text, expected):
    assert list(missing_names(ROOT / "rumcli/training/run_dir.py", text)) == expected


def test_missing_file_is_detected():
    text = "`docs/none.md`, `no_such_module.py`, `rumcli/cells/NAME.py`, docs/cells.md"
    assert list(missing_files(text)) == ["docs/none.md", "no_such_module.py"]
