"""Directories of runs as arguments of `plot`, `compare` and `inspect`."""

import json
import shutil

import pytest

from rumcli.cli.app import main
from tests.documents import validated


@pytest.fixture
def place(tmp_path, finished_run, monkeypatch, capsys):
    """A folder with two runs, a young one, and something else, as the current directory."""
    for name in ("run-2", "run-10"):
        shutil.copytree(finished_run, tmp_path / "runs" / name)
    young = tmp_path / "runs" / "young"
    young.mkdir()
    shutil.copy(finished_run / "config.yaml", young)
    (tmp_path / "runs" / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_plot_draws_each_run_of_a_directory_once(place, capsys):
    assert main(["plot", "runs", "runs/run-2", "--json"]) == 0
    printed = capsys.readouterr()
    found = validated(printed.out, "plot")
    assert [run["folder"] for run in found["runs"]] == ["runs/run-2", "runs/run-10"]
    assert printed.err.splitlines() == [
        "runs/run-2 was named before; it is taken once",
        "left out: runs/young has no evaluation yet; nothing to draw",
    ]


def test_plot_rejects_a_named_run_without_records(place, capsys):
    assert main(["plot", "runs/run-2", "runs/young"]) == 2
    assert "runs/young has no evaluation yet" in capsys.readouterr().err


def test_plot_leaves_out_runs_without_the_metric(place, capsys):
    records = place / "runs" / "run-10" / "metrics.jsonl"
    records.write_text(records.read_text().replace("symbol_accuracy", "other"))
    assert main(["plot", "runs", "--metric=Symbol_Accuracy", "--json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["runs"]) == 1
    assert "left out: --metric symbol_accuracy: runs/run-10: unknown metric" in printed.err


def test_compare_lists_the_runs_of_a_folder(place, capsys):
    assert main(["compare", "runs", "--json"]) == 0
    (group,) = validated(capsys.readouterr().out, "compare")["groups"]
    rows = [row["folder"] for row in group["runs"]]
    assert sorted(rows) == ["runs/run-10", "runs/run-2", "runs/young"]


def test_inspect_writes_one_plot_per_run_of_a_directory(place, capsys):
    assert main(["inspect", "runs", "--what=norm", "--out=x.svg"]) == 0
    assert sorted(path.name for path in place.glob("*.svg")) == ["x-run-10.svg", "x-run-2.svg"]
    assert "left out: runs/young has no 'best' checkpoint yet" in capsys.readouterr().err
    assert main(["inspect", "runs", "--json"]) == 2
    assert "--json: runs has several runs; expected one of: runs/run-2" in capsys.readouterr().err


def test_a_folder_without_runs_is_an_error(place, capsys):
    assert main(["compare", "runs/notes"]) == 2
    assert "runs/notes is empty; expected a folder that 'rum train' made" in capsys.readouterr().err


def test_a_run_of_all_subtasks_stands_for_its_parts(place, capsys):
    (place / "runs").rename(place / "all")
    shutil.copy(place / "all" / "run-2" / "config.yaml", place / "all")
    assert main(["plot", "all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
