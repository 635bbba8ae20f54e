import ast
import importlib.util
import re
from pathlib import Path

import pytest

from rumcli import config
from rumcli.config import catalog, cell_config
from tests.cli.commands import assert_one_line, python, rum
from tests.documents import validated

PLACES = {
    name: path for name, path in cell_config.layers().items() if not path.startswith("keras.")
}


def listed_cells(*names, cwd):
    return validated(rum("cells", *names, "--json", cwd=cwd).stdout, "cells")["cells"]


def listed_tasks(cwd):
    return validated(rum("tasks", "--json", cwd=cwd).stdout, "tasks")["tasks"]


def test_cells_are_those_of_the_configuration(tmp_path):
    rows = listed_cells(cwd=tmp_path)
    assert [row["name"] for row in rows] == config.names("cell")
    assert all(re.fullmatch(r"[A-Z].*\.", row["description"]) for row in rows)
    assert all(row["source"] for row in rows)
    options = {row["name"]: row["options"] for row in rows}
    (norm,) = [one for one in options["rum"] if one["name"] == "time_norm"]
    assert (norm["default"], norm["values"]) == (None, "a number > 0 or null")
    (fast,) = [one for one in options["fsrnn"] if one["name"] == "fast"]
    assert "lnlstm" in fast["values"]


@pytest.mark.parametrize(("name", "place"), PLACES.items(), ids=PLACES)
def test_paper_of_a_cell_is_that_of_its_layer(tmp_path, name, place):
    module, layer = place.split(":")
    tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8"))
    (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == layer]
    (row,) = listed_cells(name, cwd=tmp_path)
    paper = re.match(r"arXiv:[\d.]+", row["source"])[0]
    assert f"Source: {paper}" in ast.get_docstring(found)


def test_tasks_have_metrics_and_presets(tmp_path):
    rows = {row["name"]: row for row in listed_tasks(cwd=tmp_path)}
    assert list(rows) == config.names("task")
    assert rows["recall"]["metrics"] == ["accuracy", "loss"]
    assert (
        sorted(name for row in rows.values() for name in row["presets"]) == catalog.preset_names()
    )
    assert all(row["source"] for row in rows.values())


@pytest.mark.parametrize("width", ["100", "50"])
def test_tables_fit_the_terminal(tmp_path, width):
    for arguments in (["cells"], ["tasks"], ["cells", "RUM"], ["tasks", "ptb"]):
        shown = rum(*arguments, cwd=tmp_path, env={"COLUMNS": width}).stdout
        assert max(map(len, shown.splitlines())) <= int(width)
        assert "arXiv:" in shown


def test_details_show_default_and_values_of_each_option(tmp_path):
    shown = rum("cells", "rum", cwd=tmp_path).stdout
    for part in ("time_norm", "null", "a number > 0", "before_sigmoid, after_sigmoid"):
        assert part in shown
    assert "lnlstm" not in shown


def test_unknown_name_is_one_line(tmp_path):
    result = rum("cells", "arun", cwd=tmp_path)
    assert_one_line(result, 2, "CELL arun: unknown cell 'arun'; did you mean 'arum'?")
    assert_one_line(rum("tasks", "recal", cwd=tmp_path), 2, "did you mean 'recall'?")


@pytest.mark.e2e
def test_commands_that_show_what_is_there_do_not_import_keras(tmp_path):
    (tmp_path / "text").write_text("ab " * 3000)
    (tmp_path / "runs").mkdir()
    code = "import sys; from rumcli.cli.app import main\n"
    code += "for line in ('runs', 'cells', 'tasks', 'data text'): assert main(line.split()) == 0\n"
    result = python(code + "print({'keras', 'tensorflow'} & set(sys.modules))", tmp_path)
    assert result.stdout.endswith("set()\n"), result.stderr
