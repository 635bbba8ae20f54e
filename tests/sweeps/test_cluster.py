"""Real sweeps on Ray: on this machine, and on a cluster of two nodes of which one is killed."""

import json
import os
import signal
import subprocess
import time

import pytest

from rumcli import config
from rumcli.training.run_folder import RunFolder
from tests.cli.commands import COMMAND, environment, interrupt_when, rum_process
from tests.sweeps.files import SMALL, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
ONE_CORE = dict.fromkeys(THREADS, "1")
LONG = {**SMALL["set"], "train.steps": 1500, "train.eval_every": 50, "train.checkpoint_every": 25}


def start(*arguments, cwd):
    """Start `rum` in an interpreter of its own: Ray has threads, which a fork would not have."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def evaluations(folder):
    """Return the records of a run without the time that they took."""
    return [{k: v for k, v in r.items() if k != "seconds"} for r in RunFolder(folder).records()]


def has_checkpoint(folder):
    return any((folder / "checkpoints").glob("step-*.npz"))


def wait(condition, process=None, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not come that far"
        time.sleep(0.05)


def unbroken(folder, tmp_path):
    """Train once more what a run of a sweep trained, in one go; return its evaluations."""
    place = tmp_path / f"unbroken-{folder.name}"
    result = rum_process(
        "train",
        f"--preset={folder / 'config.yaml'}",
        f"--out={place}",
        "--quiet",
        cwd=tmp_path,
        env=ONE_CORE,
        fresh=True,
    )
    assert result.returncode == 0, result.stderr
    return evaluations(place)


@pytest.mark.e2e
def test_a_sweep_survives_a_process_that_is_killed_and_says_what_came_of_it(tmp_path):
    given = {"task.delay": 4, "train.steps": 300, "train.checkpoint_every": 5}
    write(tmp_path, set={**SMALL["set"], **given})
    process = start("sweep", "sweep.yaml", "--out=out", "--json", cwd=tmp_path)
    first = tmp_path / "out" / "point-1-seed-1"
    wait(lambda: has_checkpoint(first), process)
    os.kill(json.loads((first / "lock").read_text())["process"], signal.SIGKILL)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert err.count("died; going on from its last checkpoint") == 1
    found = json.loads(out)
    assert found["runs"]["finished"] == found["runs_planned"] == 4
    means = [point["validation"]["mean"] for point in found["points"]]
    assert means == sorted(means)
    assert all(point["validation"]["of"] == 2 for point in found["points"])
    assert "resumed" in json.loads((first / "environment.json").read_text())
    assert evaluations(first) == unbroken(first, tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_file()) == [
        "base.yaml",
        "points.jsonl",
        "results.json",
        "sweep.png",
        "sweep.yaml",
    ]

    again = rum_process("sweep", "--resume=out", cwd=tmp_path, fresh=True)
    assert again.returncode == 0, again.stderr
    assert again.stderr == "out is finished\n"


@pytest.mark.e2e
def test_a_run_that_fails_does_not_end_the_others(tmp_path):
    rates = {"optimizer.learning_rate": [1e38, 0.01]}
    write(tmp_path, parameters=rates, seeds=[1])
    result = rum_process("sweep", "sweep.yaml", "--out=out", "--json", cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    assert "warning: point-1-seed-1 failed: " in result.stderr
    assert "1 run failed; to try them again: rum sweep --resume out" in result.stderr
    found = json.loads(result.stdout)
    assert (found["runs"]["failed"], found["runs"]["finished"]) == (1, 1)
    assert [point["point"] for point in found["points"]] == [2, 1]
    assert "not finite" in found["points"][1]["runs"][0]["message"]


@pytest.mark.e2e
def test_a_sweep_that_is_interrupted_saves_all_and_goes_on(tmp_path):
    early = {"first": 100, "factor": 2}
    write(tmp_path, set=LONG, seeds=[1], early_stopping=early)
    process = start("sweep", "sweep.yaml", "--out=out", cwd=tmp_path)
    folders = [tmp_path / "out" / f"point-{point}-seed-1" for point in (1, 2)]
    code, out, err = interrupt_when(process, lambda: any(map(has_checkpoint, folders)), seconds=240)
    assert code == 130, err
    assert "the others saved; to go on: rum sweep --resume out" in err
    assert "optimizer.learning_rate" in out

    result = rum_process("sweep", "sweep.yaml", "--resume=out", "--json", cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    counts = json.loads(result.stdout)["runs"]
    # The better of two goes to its end; the other may have passed a time before it.
    assert counts["finished"] >= 1
    assert counts["finished"] + counts["stopped_early"] == 2
    best = next(folder for folder in folders if (folder / "summary.json").exists())
    assert evaluations(best) == unbroken(best, tmp_path)


@pytest.mark.e2e
def test_a_sweep_ends_when_its_hours_are_over_and_goes_on_for_as_long_again(tmp_path):
    write(tmp_path, set={**LONG, "train.steps": 100_000}, seeds=[1], hours=0.008)
    first = rum_process("sweep", "sweep.yaml", "--out=out", cwd=tmp_path, fresh=True)
    assert first.returncode == 0, first.stderr
    assert "the limit of hours is reached" in first.stderr
    assert "to go on: rum sweep --resume out" in first.stderr
    folders = [tmp_path / "out" / f"point-{point}-seed-1" for point in (1, 2)]
    done = [RunFolder(folder).checkpoints.numbered()[-1] for folder in folders]
    assert not any((folder / "summary.json").exists() for folder in folders)

    again = rum_process("sweep", "--resume=out", cwd=tmp_path, fresh=True)
    assert again.returncode == 0, again.stderr
    later = [RunFolder(folder).checkpoints.numbered()[-1] for folder in folders]
    assert all(one > other for one, other in zip(later, done, strict=True))


@pytest.mark.e2e
def test_a_run_is_where_its_gpu_is_and_one_too_many_is_told(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    # given: a machine that says it has a GPU; what is tested is Ray's part and ours, not CUDA's
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    node = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_gpus": 1})
    try:
        address = f"--address={cluster.address}"
        for gpus, out in ((0.5, "half"), (2, "two")):
            write(tmp_path, name=f"{out}.yaml", gpus_per_run=gpus)
        half = rum_process("sweep", "half.yaml", address, "--out=half", cwd=tmp_path, fresh=True)
        two = rum_process("sweep", "two.yaml", address, "--out=two", cwd=tmp_path, fresh=True)
    finally:
        cluster.shutdown()

    # then
    assert half.returncode == 0, half.stderr
    assert "2 at the same time" in half.stderr
    assert (two.returncode, two.stdout) == (2, "")
    assert "gpus_per_run: 2, but no machine has as many; the one with the most has 1" in two.stderr


@pytest.mark.e2e
def test_a_run_of_a_node_that_is_killed_goes_on_elsewhere_exactly(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        doomed = cluster.add_node(**node)
        write(tmp_path, set=LONG, parameters={"optimizer.learning_rate": [0.01]})
        address = f"--address={cluster.address}"
        process = start("sweep", "sweep.yaml", "--out=out", address, "--json", cwd=tmp_path)
        folders = [tmp_path / "out" / f"point-1-seed-{seed}" for seed in (1, 2)]
        wait(lambda: all(map(has_checkpoint, folders)), process)
        assert not any((folder / "summary.json").exists() for folder in folders)
        cluster.remove_node(doomed, allow_graceful=False)
        out, err = process.communicate(timeout=600)
    finally:
        cluster.shutdown()
    assert process.returncode == 0, err
    assert err.count("its process or machine died; going on from its last checkpoint") == 1
    assert json.loads(out)["runs"]["finished"] == 2
    parts = [json.loads((folder / "environment.json").read_text()) for folder in folders]
    assert sum("resumed" in part for part in parts) == 1
    for folder in folders:
        assert evaluations(folder) == unbroken(folder, tmp_path)
        assert config.from_file(folder / "config.yaml").train.steps == 1500
