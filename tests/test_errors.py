""""""

import ast
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rumcli import errors
from rumcli.errors import Metavar


def test_the_nearest_name_is_offered():
    assert errors.unknown("cell", "ARUN", ["rum", "arum", "lstm"]) == (
        "unknown cell 'ARUN'; did you mean 'arum'? cells: rum, arum, lstm"
    )


def test_distant_names_are_not_suggested():
    assert "did you mean" not in errors.unknown("cell", "transformer", ["rum", "gru"])


@given(name=st.text())
def test_error_lists_all_names(name):
    assert errors.unknown("cell", name, ["rum", "gru"]).endswith("cells: rum, gru")


def test_name_of_another_size_is_not_suggested():
    known = ["float32", "float64"]
    assert "did you mean" not in errors.unknown("dtype", "float16", known)
    assert "did you mean 'float32'" in errors.unknown("dtype", "float23", known)


def test_kinds_have_their_plural():
    assert errors.unknown("axis", "tiem", ["time"]).endswith("axes: time")
    assert [*map(errors.plural, ["key", "loss", "query"])] == ["keys", "losses", "queries"]


def test_options_and_calls_are_written_for_the_caller():
    path = Path("my runs/1")
    given = [
        lambda: errors.option("--steps", 5),
        lambda: errors.option("--from-scratch", True),
        lambda: errors.option("--data", Metavar("PATH")),
        lambda: errors.option("TASK", "recal"),
        lambda: errors.option("--callback", ["a:B", "c:D"], "callbacks"),
        lambda: errors.call("train", Metavar("TASK"), out=path),
        lambda: errors.call("sweep", resume=path, trust_code=True),
    ]
    typed = [one() for one in given]
    with errors.for_python():
        called = [one() for one in given]
    assert dict(zip(typed, called, strict=True)) == {
        "--steps 5": "steps=5",
        "--from-scratch": "from_scratch=True",
        "--data PATH": "data=PATH",
        "TASK recal": "task='recal'",
        "--callback a:B, c:D": "callbacks=['a:B', 'c:D']",
        "rum train TASK --out 'my runs/1'": "rumcli.train(TASK, out='my runs/1')",
        "rum sweep --resume 'my runs/1' --trust-code": (
            "rumcli.sweep(resume='my runs/1', trust_code=True)"
        ),
    }


# Modules that only commands without a function in Python use.
OF_COMMANDS = {
    *("json_schemas", "benchmark", "reproduction", "export"),
    *("training/distribution.py", "training/peer_failure.py", "jobs/ray_train.py"),
    *("tasks/char_lm/penn_treebank.py", "analysis/comparison.py", "reporting"),
}


def test_messages_that_python_may_receive_name_no_options():
    """They use `errors.option` and `errors.call`; `rum gen-data` has no function."""
    package = Path(errors.__file__).parent
    found = []
    for path in package.rglob("*.py"):
        place = path.relative_to(package).as_posix()
        if not place.startswith(("cli/", *OF_COMMANDS)):
            found += [(place, text) for text in strings(path) if re.search(NAMES_AN_OPTION, text)]
    assert found == []


# Not an option alone, such as the constant of one.
NAMES_AN_OPTION = (
    r"(^--[a-z][a-z-]*[^a-z-]|(?<!ray start) --[a-z])|\brum (?!gen-data|doctor)[a-z]+ -"
)


def strings(path):
    """Yield the texts of a module besides docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
