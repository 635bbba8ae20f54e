import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from rumcli import signals
from rumcli.cli import runs as command
from rumcli.reporting import console
from rumcli.training import lock
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated

DAY = 86_400


def write_lock(run, process, host=None, age=0.0):
    """Write the lock of a process, and set the time of its latest heartbeat."""
    path = run / lock.NAME
    owner = {"host": host or socket.gethostname(), "process": process, "since": "2026-01-01"}
    path.write_text(json.dumps(owner))
    os.utime(path, (time.time() - age,) * 2)


def ended_process():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture(scope="module")
def place(tmp_path_factory, finished_run):
    """A directory with a run in each state, one of them in a sweep."""
    place = tmp_path_factory.mktemp("listing")
    for age, name in enumerate(("live", "failed", "killed", "stopped", "done")):
        run = place / ("sweeps/s-1/point-1-seed-1" if name == "failed" else f"runs/{name}")
        shutil.copytree(finished_run, run)
        if name != "done":
            (run / "summary.json").unlink()
            config = run / "config.yaml"
            config.write_text(config.read_text().replace("steps: 20", "steps: 30"))
        for path in run.iterdir():
            os.utime(path, (time.time() - age * DAY,) * 2)
    write_lock(place / "runs/live", os.getpid())
    write_lock(place / "runs/killed", ended_process())
    mark = {"state": "failed", "message": "loss is NaN"}
    (place / "sweeps/s-1/point-1-seed-1/result.json").write_text(json.dumps(mark))
    (place / "runs/early").mkdir()
    write_lock(place / "runs/early", ended_process())
    os.utime(place / "runs/early", (time.time() - 9 * DAY,) * 2)
    return place


def test_json_lists_each_run_with_its_state_newest_last(place):
    result = rum("runs", ".", "--json", cwd=place)
    assert (result.returncode, result.stderr) == (0, "")
    listed = validated(result.stdout, "runs")["runs"]
    assert [(run["folder"], run["state"]) for run in listed] == [
        ("runs/early", "not started"),
        ("runs/done", "finished"),
        ("runs/stopped", "stopped"),
        ("runs/killed", "failed"),
        ("sweeps/s-1/point-1-seed-1", "failed"),
        ("runs/live", "running"),
    ]
    early, done, stopped, killed, failed, _ = listed
    assert (early["task"], early["of_steps"]) == (None, None)
    summary = json.loads((place / "runs/done/summary.json").read_text())
    assert (done["value"], done["split"]) == (summary["loss"], "test")
    assert (stopped["split"], stopped["steps"], stopped["of_steps"]) == ("validation", 20, 30)
    assert stopped["baseline"]["label"] == "memoryless"
    assert killed["message"] == "its process ended without saving"
    assert failed["message"] == "loss is NaN"
    assert done["age"] == pytest.approx(4 * DAY, abs=60)


@pytest.mark.parametrize("width", ["130", "60"])
def test_table_has_state_step_metric_and_baseline(place, width):
    shown = rum("runs", cwd=place, env={"COLUMNS": width}).stdout
    for part in ("runs/done", "running", "finished", "20/30", "memoryless"):
        assert part in shown
    assert "point-1" not in shown
    assert max(map(len, shown.splitlines())) <= int(width)


def test_process_of_another_machine_counts_by_its_heartbeat(tmp_path):
    write_lock(tmp_path, 1, host="elsewhere", age=1.0)
    assert lock.state(tmp_path) == lock.HELD
    write_lock(tmp_path, 1, host="elsewhere", age=3600.0)
    assert lock.state(tmp_path) == lock.ABANDONED
    (tmp_path / lock.NAME).unlink()
    assert lock.state(tmp_path) == lock.FREE


def test_state_is_read_while_a_process_holds_the_lock(tmp_path):
    with lock.held(tmp_path):
        assert lock.state(tmp_path) == lock.HELD
    assert lock.state(tmp_path) == lock.FREE


def test_run_that_cannot_be_read_is_left_out_with_its_reason(tmp_path, finished_run):
    shutil.copytree(finished_run, tmp_path / "runs/good")
    (tmp_path / "runs/bad").mkdir()
    (tmp_path / "runs/bad/config.yaml").write_text("task: [")
    result = rum("runs", "--json", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.startswith("left out: runs/bad/config.yaml, line 1")
    assert [run["folder"] for run in validated(result.stdout, "runs")["runs"]] == ["runs/good"]


def test_without_runs_the_list_is_empty(tmp_path):
    assert validated(rum("runs", "--json", cwd=tmp_path).stdout, "runs")["runs"] == []
    result = rum("runs", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "no runs yet\n")
    assert "rum train recall" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gone"], "there is no directory gone; expected a directory of runs"),
        (["file"], "file is not a directory; expected a directory of runs"),
        (["--watch"], "--watch: stdout is not a terminal"),
        (["--watch", "--json"], "--watch and --json are mutually exclusive"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path, arguments, expected):
    (tmp_path / "file").touch()
    assert_one_line(rum("runs", *arguments, cwd=tmp_path), 2, expected)


def test_watch_refreshes_until_a_signal_and_leaves_the_latest_table(place, monkeypatch, capsys):
    responses, readings = [], []
    read = command._read

    def reading(places):
        readings.append(places)
        if len(readings) == 3:
            responses[0].note(2)
        return read(places)

    responding = signals.responding
    monkeypatch.setattr(
        signals, "responding", lambda response: responses.append(response) or responding(response)
    )
    monkeypatch.setattr(command, "_read", reading)
    monkeypatch.setattr(command, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    monkeypatch.chdir(place)
    command.runs(watch=True)
    assert len(readings) == 3
    assert "running" in capsys.readouterr().out
