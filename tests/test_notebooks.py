"""The notebooks in examples/ run from top to bottom, with small sizes."""

import ast
import functools
import re
import sys
import types
from pathlib import Path

import pytest

import rumcli
from rumcli import parsing

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))
SIZES = {"LENGTH": 6, "STEPS": 4}
SMALL = {
    "hidden": 8,
    "batch_size": 8,
    "steps": 4,
    "quiet": True,
    "set": {
        "train.eval_every": 2,
        "task.validation_examples": 8,
        "task.test_examples": 8,
    },
}


def read(notebook):
    return parsing.parse_json(notebook.read_text(encoding="utf-8"))


def code_of(notebook):
    """Return the code cells, with constants for sizes made small."""
    for cell in read(notebook)["cells"]:
        if cell["cell_type"] == "code":
            text = "".join(cell["source"])
            for name, value in SIZES.items():
                text = re.sub(rf"^{name} = \d+$", f"{name} = {value}", text, flags=re.MULTILINE)
            yield text


def run_cell(text, namespace):
    """Run a cell as a notebook does, and return the value of its last expression."""
    tree = ast.parse(text)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    return last and eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)


@pytest.mark.e2e
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train = rumcli.train
    small = functools.wraps(train)(lambda *names, **given: train(*names, **{**given, **SMALL}))
    monkeypatch.setattr(rumcli, "train", small, raising=False)
    main = types.ModuleType("__main__")  # where a notebook's classes are
    monkeypatch.setitem(sys.modules, "__main__", main)
    shown = [run_cell(text, main.__dict__) for text in code_of(notebook)]
    figure = next(value for value in shown if hasattr(value, "_repr_png_"))
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert any(isinstance(value, rumcli.Run) for value in shown)
    assert [*Path("runs").iterdir()]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_outputs(notebook):
    cells = read(notebook)["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    for cell in cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
