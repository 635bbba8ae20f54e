"""Two processes with the same run directory."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal

import pytest

from rumcli import config
from rumcli.errors import ConfigError, RunError
from rumcli.training.run_dir import RunDir
from tests.cli.commands import assert_one_line, interrupt_when, rum, start
from tests.faults.runs import ARGUMENTS, assert_resumes
from tests.marks import needs_posix

pytestmark = needs_posix


@pytest.mark.e2e
def test_second_process_is_rejected_and_the_first_continues(tmp_path):
    run = tmp_path / "run"
    arguments = [*ARGUMENTS, "--steps=100000", "--out=run", "--quiet"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    refused = []

    def is_refused():
        if not list(run.glob("checkpoints/step-*")):
            return False
        owner = json.loads((run / "lock").read_text())
        result = rum("train", "--resume=run", "--quiet", cwd=tmp_path)
        who = f"in use by process {owner['process']} on {owner['host']} "
        assert_one_line(result, 1, who)
        assert owner["process"] == process.pid
        refused.append(result)
        return True

    code, _, err = interrupt_when(process, is_refused, signal.SIGTERM)
    assert refused
    assert code == 143, err
    assert not (run / "lock").exists()


@pytest.mark.e2e
def test_stale_lock_is_taken_over_with_a_warning(half, unbroken, tmp_path):
    run = shutil.copytree(half, tmp_path / "run")
    owner = {"host": "elsewhere", "process": 4711, "since": "2026-01-01 00:00:00"}
    (run / "lock").write_text(json.dumps(owner))
    # The lock of another machine is valid for a minute after its last heartbeat.
    result = rum("train", "--resume=run", "--steps=40", cwd=tmp_path)
    assert_one_line(result, 1, "in use by process 4711 on elsewhere")
    os.utime(run / "lock", (1, 1))
    assert_resumes(run, unbroken, "--steps=40")


PROCESSES, ROUNDS = 4, 50


def create(place, me, barrier, won):
    """Create the same directories as the other processes, with a different seed."""
    run = config.build("copying", [], {("seed",): me})
    for number in range(ROUNDS):
        barrier.wait(60)
        with contextlib.suppress(ConfigError, RunError):
            RunDir.create(place / str(number), run)
            won.put((number, me))
    won.put(None)


@pytest.mark.e2e
def test_one_of_several_processes_creates_a_run_directory(tmp_path):
    spawning = multiprocessing.get_context("spawn")
    barrier, won = spawning.Barrier(PROCESSES), spawning.Queue()
    processes = [
        spawning.Process(target=create, args=(tmp_path, me, barrier, won), daemon=True)
        for me in range(1, PROCESSES + 1)
    ]
    for process in processes:
        process.start()
    winners, ended = {}, 0
    while ended < PROCESSES:
        found = won.get(timeout=120)
        ended += found is None
        if found is not None:
            assert found[0] not in winners, "two processes created one directory"
            winners[found[0]] = found[1]
    for process in processes:
        process.join(60)
    assert {n: RunDir.open(tmp_path / str(n)).config.seed for n in range(ROUNDS)} == winners
