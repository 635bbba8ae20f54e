"""Real sweeps on Ray: on this machine, and on a cluster of two nodes of which one is killed."""

import json
import os
import signal

import pytest

from rumcli import config
from rumcli.training.run_folder import RunFolder
from tests.cli.commands import environment, interrupt_when, rum_process, start, wait_until
from tests.runs import read_records
from tests.sweeps.files import SMALL, write_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
]
pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
ONE_CORE = dict.fromkeys(THREADS, "1")
# Sweeps run in new interpreters, `fresh`: a fork would lack the threads of Ray.
LONG = {**SMALL["set"], "train.steps": 1500, "train.eval_every": 50, "train.checkpoint_every": 25}


def has_checkpoint(folder):
    return any((folder / "checkpoints").glob("step-*.npz"))


def train_uninterrupted(folder, tmp_path):
    """Repeat a run of a sweep without interruption; return its records."""
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
    return read_records(place)


@pytest.mark.e2e
def test_sweep_survives_a_killed_process_and_reports_its_results(tmp_path):
    given = {"task.delay": 4, "train.steps": 300, "train.checkpoint_every": 5}
    write_sweep(tmp_path, set={**SMALL["set"], **given})
    process = start("sweep", "sweep.yaml", "--out=out", "--json", cwd=tmp_path, fresh=True)
    first = tmp_path / "out" / "point-1-seed-1"
    wait_until(lambda: has_checkpoint(first), process)
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
    assert read_records(first) == train_uninterrupted(first, tmp_path)
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
def test_failed_run_does_not_end_the_others(tmp_path):
    rates = {"optimizer.learning_rate": [1e38, 0.01]}
    write_sweep(tmp_path, parameters=rates, seeds=[1])
    result = rum_process("sweep", "sweep.yaml", "--out=out", "--json", cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    assert "warning: point-1-seed-1 failed: " in result.stderr
    assert "1 run failed; to try them again: rum sweep --resume out" in result.stderr
    found = json.loads(result.stdout)
    assert (found["runs"]["failed"], found["runs"]["finished"]) == (1, 1)
    assert [point["point"] for point in found["points"]] == [2, 1]
    assert "not finite" in found["points"][1]["runs"][0]["message"]


@pytest.mark.e2e
def test_interrupted_sweep_saves_all_runs_and_resumes(tmp_path):
    early = {"first": 100, "factor": 2}
    write_sweep(tmp_path, set=LONG, seeds=[1], early_stopping=early)
    process = start("sweep", "sweep.yaml", "--out=out", cwd=tmp_path, fresh=True)
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
    assert read_records(best) == train_uninterrupted(best, tmp_path)


@pytest.mark.e2e
def test_sweep_stops_at_its_time_limit_and_resumes_for_as_long(tmp_path):
    write_sweep(tmp_path, set={**LONG, "train.steps": 100_000}, seeds=[1], hours=0.008)
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
def test_run_is_placed_on_the_node_with_its_gpu_and_excess_gpus_are_rejected(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    # given: a machine with a declared GPU; this tests the placement by Ray, not CUDA
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    node = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "num_gpus": 1})
    try:
        address = f"--address={cluster.address}"
        for gpus, out in ((0.5, "half"), (2, "two")):
            write_sweep(tmp_path, name=f"{out}.yaml", gpus_per_run=gpus)
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
def test_run_of_a_killed_node_resumes_bit_exactly_elsewhere(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        doomed = cluster.add_node(**node)
        write_sweep(tmp_path, set=LONG, parameters={"optimizer.learning_rate": [0.01]})
        address = f"--address={cluster.address}"
        process = start(
            "sweep", "sweep.yaml", "--out=out", address, "--json", cwd=tmp_path, fresh=True
        )
        folders = [tmp_path / "out" / f"point-1-seed-{seed}" for seed in (1, 2)]
        wait_until(lambda: all(map(has_checkpoint, folders)), process)
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
        assert read_records(folder) == train_uninterrupted(folder, tmp_path)
        assert config.from_file(folder / "config.yaml").train.steps == 1500
