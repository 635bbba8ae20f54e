"""Sets of runs on a real Ray cluster: two nodes with token authentication, of which one is killed.

The cluster is shared by the tests of this file, and listens at the loopback interface alone.
"""

import json
import secrets
import shlex
from importlib.util import find_spec

import pytest

from tests.cli.commands import assert_one_line, environment, rum_process, start, wait_until
from tests.jobs.interruptions import LONG, has_checkpoint, train_uninterrupted
from tests.reproduction.files import PLAIN, write_table
from tests.runs import read_records
from tests.sweeps.files import write_sweep

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'rumcli[cluster]'"),
]
NODE = {
    "num_cpus": 1,
    "include_dashboard": False,
    "object_store_memory": 80 * 2**20,
    "node_ip_address": "127.0.0.1",
}
SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_raylet_start_wait_time_s": "240",  # of a busy machine
}
# Sets run in new interpreters, `fresh`: a fork would lack the threads of Ray.


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Start a node with a declared GPU: this tests the placement by Ray, not CUDA."""
    from filelock import FileLock

    shared = tmp_path_factory.getbasetemp().parent  # by the workers of pytest-xdist
    variables = {**SETTINGS, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    variables["PYTHONPATH"] = environment()["PYTHONPATH"]
    with FileLock(shared / "ray.lock"), pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster  # reads RAY_AUTH_MODE when it is imported

        made = Cluster(initialize_head=True, head_node_args={**NODE, "num_gpus": 1})
        try:
            yield made
        finally:
            made.shutdown()


def at(cluster):
    """Return the option with the cluster's address.

    Ray replaces 127.0.0.1 by the address of the network interface, but not in this notation.
    """
    return f"--address=[::ffff:127.0.0.1]:{cluster.address.rpartition(':')[2]}"


def test_sweep_stops_a_bad_point_early_and_reports_it(tmp_path, cluster):
    steps = 600
    write_sweep(
        tmp_path,
        set={**LONG, "train.steps": steps},
        parameters={"optimizer.learning_rate": [0.01, 1e-7]},
        seeds=[1],
        gpus_per_run=0.5,
        early_stopping={"grace_period": 50},
    )
    # One after the other: the first run to come to a rung always continues.
    options = ["--out=out", "--jobs=1", "--json", at(cluster)]
    result = rum_process("sweep", "sweep.yaml", *options, cwd=tmp_path, fresh=True)

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["runs"]["finished"], found["runs"]["stopped_early"]) == (1, 1)
    best, stopped = (point["runs"][0] for point in found["points"])
    assert (best["state"], best["step"]) == ("finished", steps)
    assert (stopped["state"], stopped["message"]) == ("stopped early", "at step 50")
    assert 50 <= stopped["step"] < steps
    assert best["validation"] < stopped["validation"]
    assert not (tmp_path / "out" / "ray").exists()


def test_set_that_the_cluster_cannot_run_is_rejected(tmp_path, cluster):
    write_sweep(tmp_path, gpus_per_run=2)
    words = ["sweep", "sweep.yaml", at(cluster)]
    result = rum_process(*words, cwd=tmp_path, fresh=True)
    expected = "gpus_per_run: 2 exceeds the 1 GPUs of the largest machine"
    assert_one_line(result, 2, expected)


def test_command_without_the_token_is_rejected(tmp_path, cluster):
    write_sweep(tmp_path)
    words = ["sweep", "sweep.yaml", at(cluster)]
    wrong = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    result = rum_process(*words, cwd=tmp_path, fresh=True, env=wrong)
    assert_one_line(result, 2, "RAY_AUTH_MODE=token")


def test_table_survives_a_killed_node(tmp_path, cluster):
    # given
    write_table(tmp_path, set=LONG, rows=PLAIN, conditions=None, seeds=2)
    doomed = cluster.add_node(**NODE)
    words = ["reproduce", "small.yaml", "--only=gru", at(cluster), "--json"]
    process = start(*words, cwd=tmp_path, fresh=True)

    # when
    folders = [tmp_path / "reproductions" / "small" / f"gru-seed-{seed}" for seed in (1, 2)]
    wait_until(lambda: all(map(has_checkpoint, folders)), process)
    cluster.remove_node(doomed, allow_graceful=False)
    out, err = process.communicate(timeout=600)

    # then
    assert process.returncode == 0, err
    assert err.count("its process or machine died; resuming from its last checkpoint") == 1
    found = json.loads(out)
    assert found["runs"]["finished"] == 2
    (resumed,) = (f for f in folders if "resumed" in (f / "environment.json").read_text())
    assert read_records(resumed) == train_uninterrupted(resumed, tmp_path)
    assert found["setting"]["commands"] == [shlex.join(["rum", *words])]
