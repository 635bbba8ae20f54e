"""`kill -9` at random moments and during a save."""

import random
import signal
import sys
import time

import numpy as np
import pytest

from tests.cli.commands import interrupt_when, python, rum, start
from tests.faults.runs import ARGUMENTS, assert_equal_to_the_last_bit
from tests.marks import needs_posix
from tests.runs import newest_checkpoint, read_records, step_of

pytestmark = needs_posix

# Kills the process when it flushes a file for the nth time: after writing, before renaming.
_KILLED_DURING_A_SAVE = """
import os, signal, stat
from rumcli.cli.app import main

flush, count = os.fsync, 0

def killed(descriptor):
    global count
    count += stat.S_ISREG(os.fstat(descriptor).st_mode)
    if count == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(descriptor)

os.fsync = killed
main({arguments})
"""


def unfinished(run_dir):
    return list(run_dir.rglob(".*.part"))


@pytest.mark.e2e
@pytest.mark.parametrize("number", [9, pytest.param(11, marks=pytest.mark.slow)])
def test_run_killed_during_a_save_resumes_bit_exactly(tmp_path, unbroken, number):
    arguments = [*ARGUMENTS, "--steps=40", "--out=run", "--quiet"]
    code = _KILLED_DURING_A_SAVE.format(number=number, arguments=arguments)
    assert python(code, cwd=tmp_path).returncode == -signal.SIGKILL
    run = tmp_path / "run"
    assert unfinished(run)
    result = rum("train", "--resume=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ended without releasing the run; resuming it" in result.stderr
    assert_equal_to_the_last_bit(run, unbroken)
    assert unfinished(run) == []
    assert not (run / "lock").exists()


KILLS = 50
_OFTEN_SAVED = [*ARGUMENTS, "--set=train.checkpoint_every=3"]
_ENDLESS = [*_OFTEN_SAVED, "--steps=1000000"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_run_killed_fifty_times_matches_an_uninterrupted_run(tmp_path):
    # Given a run that saves every few milliseconds,
    generator = random.Random(20)
    run = tmp_path / "run"
    process = start(*_ENDLESS, "--out=run", "--quiet", cwd=tmp_path)
    inside = 0
    for number in range(KILLS):
        # when it is killed at any moment, including startup, and every other time during a save,
        if number % 2:
            time.sleep(generator.uniform(0, 4))
        else:
            before = newest_checkpoint(run) if list(run.glob("checkpoints/step-*")) else None
            while not list(run.glob("checkpoints/step-*")) or newest_checkpoint(run) == before:
                assert process.poll() is None, process.communicate()
            deadline = time.monotonic() + generator.uniform(0, 2)
            while time.monotonic() < deadline or not unfinished(run):
                pass
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        inside += bool(unfinished(run))
        options = (
            ["--resume=run"] if (run / "config.yaml").exists() else [*_ENDLESS[1:], "--out=run"]
        )
        process = start("train", *options, "--quiet", cwd=tmp_path)
    # then, resumed every time, it finally equals an uninterrupted run.
    code, err = stop_after(process, run, newest_checkpoint(run))
    assert code == 143, err
    steps = step_of(newest_checkpoint(run))
    sys.stdout.write(f"{KILLS} kills, {inside} of them inside a save, in {steps} steps\n")
    assert inside > KILLS // 5
    whole = tmp_path / "whole"
    arguments = [*_OFTEN_SAVED, f"--steps={steps}", "--out=whole", "--quiet"]
    assert rum(*arguments, cwd=tmp_path).returncode == 0
    assert_same_until(steps, run, whole)


def stop_after(process, run, reached):
    """Stop a run once it has a newer checkpoint; return exit code and stderr."""
    code, _, err = interrupt_when(process, lambda: newest_checkpoint(run) > reached, signal.SIGTERM)
    return code, err


def assert_same_until(steps, run, whole):
    """Assert that all evaluations, weights and the optimizer's state are equal."""
    every = 10
    before = [
        [r for r in read_records(one) if r["step"] <= steps // every * every]
        for one in (run, whole)
    ]
    assert before[0] == [r for r in before[1] if r["step"] % every == 0]
    name = f"checkpoints/step-{steps:08d}.npz"
    with np.load(run / name) as one, np.load(whole / name) as two:
        names = [name for name in two.files if name.startswith(("model/", "optimizer/"))]
        assert names
        assert [name for name in names if not np.array_equal(one[name], two[name])] == []
