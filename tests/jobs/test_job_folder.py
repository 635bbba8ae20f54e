"""The directory of a set of runs: other versions, other machines."""

import shutil

import pytest

from rumcli.cli.app import main
from tests.documents import validated
from tests.reproduction.files import finish_run, runs, table
from tests.sweeps.files import sweep


@pytest.mark.parametrize("arguments", [["--resume=out"], ["--results=out"]])
def test_sweep_of_an_earlier_version_is_rejected(tmp_path, monkeypatch, capsys, arguments):
    made, _ = sweep(tmp_path, [])
    assert_earlier_is_rejected(tmp_path, monkeypatch, capsys, "sweep.json", ["sweep", *arguments])
    assert made.points() == []


@pytest.mark.parametrize("arguments", [["--resume=out"], ["small.yaml", "--out=out"]])
def test_table_of_an_earlier_version_is_rejected(tmp_path, monkeypatch, capsys, arguments):
    table(tmp_path)
    words = ["reproduce", *arguments]
    assert_earlier_is_rejected(tmp_path, monkeypatch, capsys, "reproduction.json", words)


def assert_earlier_is_rejected(tmp_path, monkeypatch, capsys, name, arguments):
    """Assert that a command rejects the directory of a set in which a run has an old mark."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "run-1").mkdir()
    (tmp_path / "out" / "run-1" / name).write_text("{}")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"out/run-1/{name} is from an earlier version of 'rum {arguments[0]}'; continue" in err
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}


def test_runs_of_several_machines_are_one_table(tmp_path, monkeypatch, capsys):
    # given: half of the runs were made elsewhere
    folders = []
    for machine in ("left", "right"):
        (tmp_path / machine).mkdir()
        read, folder = table(tmp_path / machine)
        folders.append(folder)
        for name, run in runs(read).items():
            if name.endswith("seed-1") == (machine == "left"):
                finish_run(folder, run, 0.5)
                place = folder.run_dir(run)
                place.write_json(
                    "environment.json", {"processor": machine, "command": ["rum", "a"]}
                )

    # when
    for path in folders[1].path.glob("*-seed-2"):
        shutil.copytree(path, folders[0].path / path.name)
    monkeypatch.chdir(tmp_path / "left")
    assert main(["reproduce", "small.yaml", "--out=out", "--json"]) == 0

    # then
    found = validated(capsys.readouterr().out, "reproduce")
    assert found["runs"]["finished"] == 8
    assert {one["processor"] for one in found["setting"]["machines"]} == {"left", "right"}
