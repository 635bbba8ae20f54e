"""Real sets of runs on this machine: killed, interrupted, out of time, resumed."""

import json
import os
import signal

import pytest

from rumcli.training.run_dir import RunDir
from tests.cli.commands import rum, start, wait_until
from tests.jobs.interruptions import LONG, has_checkpoint, train_uninterrupted
from tests.reproduction.files import PLAIN, write_table
from tests.runs import read_records
from tests.sweeps.files import SMALL, write_sweep

pytestmark = pytest.mark.timeout(900)


def process_of(folder):
    """Return the number of the process that has locked a run directory; None if none has."""
    try:
        return json.loads((folder / "lock").read_text())["process"]
    except (OSError, ValueError):
        return None


@pytest.mark.e2e
def test_sweep_survives_a_killed_process_and_reports_its_results(tmp_path):
    # given
    given = {"task.delay": 4, "train.steps": 300, "train.checkpoint_every": 5}
    write_sweep(tmp_path, set={**SMALL["set"], **given}, seeds=[1])
    process = start("sweep", "sweep.yaml", "--out=out", "--json", cwd=tmp_path, fresh=True)
    first = tmp_path / "out" / "point-1-seed-1"

    # when
    wait_until(lambda: has_checkpoint(first), process)
    os.kill(process_of(first), signal.SIGKILL)
    out, err = process.communicate(timeout=600)

    # then
    assert process.returncode == 0, err
    assert err.count("its process ended by signal 9; resuming from its last checkpoint") == 1
    found = json.loads(out)
    assert found["runs"]["finished"] == found["runs_planned"] == 2
    means = [point["validation"]["mean"] for point in found["points"]]
    assert means == sorted(means)
    assert "resumed" in json.loads((first / "environment.json").read_text())
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_file()} - {
        "sweep.png"
    } == {"base.yaml", "points.jsonl", "results.json", "sweep.yaml"}
    assert rum("sweep", "--resume=out", cwd=tmp_path).stderr == "out is finished\n"


@pytest.mark.e2e
def test_set_whose_process_was_killed_twice_resumes_bit_exactly(tmp_path):
    # given
    rows = {"GRU": PLAIN["GRU"]}
    write_table(tmp_path, rows=rows, set=LONG, conditions=None, seeds=1)
    folder = tmp_path / "reproductions" / "small" / "gru-seed-1"
    command = ["reproduce", "small.yaml"]

    # when
    for _ in range(2):
        process = start(*command, cwd=tmp_path, fresh=True)
        before = RunDir(folder).checkpoints.numbered()[-1:]
        wait_until(lambda b=before: RunDir(folder).checkpoints.numbered()[-1:] > b, process)
        process.kill()
        process.communicate()
        # then: the run saves and ends by itself
        wait_until(lambda: not (folder / "lock").exists())
        command = ["reproduce", "--resume=reproductions/small", "--json"]
    out, err = start(*command, cwd=tmp_path, fresh=True).communicate(timeout=600)

    # then
    assert json.loads(out)["runs"]["finished"] == 1, err
    assert len(json.loads((folder / "environment.json").read_text())["resumed"]) == 2
    assert read_records(folder) == train_uninterrupted(folder, tmp_path)


@pytest.mark.slow
def test_sweep_stops_at_its_time_limit_and_resumes_within_a_budget(tmp_path):
    # when
    write_sweep(tmp_path, set={**LONG, "train.steps": 10**7}, seeds=[1], max_hours=0.012)
    first = rum("sweep", "sweep.yaml", "--out=out", cwd=tmp_path)

    # then
    assert first.returncode == 0, first.stderr
    assert "the time is over; 0 of 2 runs done; to resume: rum sweep --resume out" in first.stderr
    folders = [tmp_path / "out" / f"point-{point}-seed-1" for point in (1, 2)]
    done = [RunDir(folder).checkpoints.numbered()[-1] for folder in folders]
    assert not any((folder / "summary.json").exists() for folder in folders)
    assert not any((folder / "result.json").exists() for folder in folders)

    # when
    again = rum("sweep", "--resume=out", "--budget=50s", "--json", cwd=tmp_path)

    # then
    assert again.returncode == 0, again.stderr
    later = [RunDir(folder).checkpoints.numbered()[-1] for folder in folders]
    assert all(one > other for one, other in zip(later, done, strict=True))
    found = json.loads(again.stdout)
    assert found["runs"]["stopped"] == 2
    assert all(point["test"]["of"] == 1 for point in found["points"])
