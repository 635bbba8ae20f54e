"""Real sets of runs on a Ray cluster of two nodes, of which one is killed."""

import json

import pytest

from tests.cli.commands import environment, rum_process, start, wait_until
from tests.jobs.interruptions import LONG, has_checkpoint, train_uninterrupted
from tests.reproduction.files import PLAIN, write_table
from tests.runs import read_records
from tests.sweeps.files import write_sweep

pytestmark = pytest.mark.timeout(900)
Cluster = pytest.importorskip(
    "ray.cluster_utils", reason="needs Ray: pip install 'rumcli[cluster]'"
).Cluster
ONE_CORE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
# Sets run in new interpreters, `fresh`: a fork would lack the threads of Ray.


@pytest.mark.slow
def test_run_is_placed_on_the_node_with_its_gpu_and_excess_gpus_are_rejected(tmp_path, monkeypatch):
    # given: a machine with a declared GPU; this tests the placement by Ray, not CUDA
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    node = {**ONE_CORE, "num_cpus": 2, "num_gpus": 1}
    cluster = Cluster(initialize_head=True, head_node_args=node)
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
def test_table_runs_on_a_cluster_of_which_a_node_is_killed(tmp_path, monkeypatch):
    # given
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    write_table(tmp_path, set=LONG, rows=PLAIN, conditions=None, seeds=2)
    cluster = Cluster(initialize_head=True, head_node_args=ONE_CORE)
    try:
        doomed = cluster.add_node(**ONE_CORE)
        words = ["reproduce", "small.yaml", "--only=gru", f"--address={cluster.address}", "--json"]
        process = start(*words, cwd=tmp_path, fresh=True)

        # when
        folders = [tmp_path / "reproductions" / "small" / f"gru-seed-{seed}" for seed in (1, 2)]
        wait_until(lambda: all(map(has_checkpoint, folders)), process)
        cluster.remove_node(doomed, allow_graceful=False)
        out, err = process.communicate(timeout=600)
    finally:
        cluster.shutdown()

    # then
    assert process.returncode == 0, err
    assert err.count("its process or machine died; going on from its last checkpoint") == 1
    found = json.loads(out)
    assert found["runs"]["finished"] == 2
    (resumed,) = (f for f in folders if "resumed" in (f / "environment.json").read_text())
    assert read_records(resumed) == train_uninterrupted(resumed, tmp_path)
    assert found["setting"]["commands"] == [f"rum {' '.join(words)}"]
