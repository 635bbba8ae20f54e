"""`kill -9`, at random moments and inside a save."""

import random
import signal
import sys
import time

import pytest

from tests.cli.commands import python, rum, start
from tests.faults.runs import (
    ARGUMENTS,
    assert_equal_to_the_last_bit,
    needs_posix,
    newest,
    step_of,
)

pytestmark = needs_posix

# Kills the process when it flushes a file for the nth time: after it is written, before it has its
# name.
_KILLED_WHILE_IT_SAVES = """
import os, signal
from rumcli.cli.app import main

flush, count = os.fsync, 0

def killed(descriptor):
    global count
    count += 1
    if count == {number}:
        os.kill(os.getpid(), signal.SIGKILL)
    flush(descriptor)

os.fsync = killed
main({arguments})
"""


def unfinished(folder):
    return list(folder.rglob(".*.part"))


@pytest.mark.parametrize("number", [7, 8])
def test_a_run_that_is_killed_inside_a_save_goes_on_to_the_last_bit(tmp_path, unbroken, number):
    arguments = [*ARGUMENTS, "--steps=40", "--out=run", "--quiet"]
    code = _KILLED_WHILE_IT_SAVES.format(number=number, arguments=arguments)
    assert python(code, cwd=tmp_path).returncode == -signal.SIGKILL
    run = tmp_path / "run"
    assert unfinished(run)
    result = rum("train", "--resume=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "ended without a word; going on from its last checkpoint" in result.stderr
    assert_equal_to_the_last_bit(run, unbroken)
    assert unfinished(run) == []
    assert not (run / "lock").exists()


KILLS = 50
STEPS = 30_000
_FREQUENT = [*ARGUMENTS, f"--steps={STEPS}", "--set=train.checkpoint_every=3"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_fifty_times_is_the_one_that_was_not(tmp_path):
    # Given a run that saves every few milliseconds,
    generator = random.Random(20)
    run = tmp_path / "run"
    process = start(*_FREQUENT, "--out=run", "--quiet", cwd=tmp_path)
    inside = 0
    for number in range(KILLS):
        # when it is killed at any moment, also as it starts; every other time while it saves,
        if number % 2:
            time.sleep(generator.uniform(0, 4))
        else:
            before = newest(run) if list(run.glob("checkpoints/step-*")) else None
            while not list(run.glob("checkpoints/step-*")) or newest(run) == before:
                assert process.poll() is None, process.communicate()
            deadline = time.monotonic() + generator.uniform(0, 2)
            while time.monotonic() < deadline or not unfinished(run):
                pass
        assert process.poll() is None, "the run came to its end before the last kill"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        inside += bool(unfinished(run))
        options = (
            ["--resume=run"] if (run / "config.yaml").exists() else [*_FREQUENT[1:], "--out=run"]
        )
        process = start("train", *options, "--quiet", cwd=tmp_path)
    # then, resumed every time, it ends as one that was not killed.
    reached = step_of(newest(run))
    sys.stdout.write(f"{KILLS} kills, {inside} of them inside a save, up to step {reached}\n")
    assert inside > KILLS // 5
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert rum(*_FREQUENT, "--out=whole", "--quiet", cwd=tmp_path).returncode == 0
    assert_equal_to_the_last_bit(run, tmp_path / "whole")
