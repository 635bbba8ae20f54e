"""`rum train --workers`: several processes for one run, started by the command or by hand."""

import contextlib
import json
import pathlib
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rumcli.cli import workers
from rumcli.cli.showing import Showing
from rumcli.training import rendezvous
from tests import small
from tests.cli.commands import (
    SMALL_RUM,
    assert_one_line,
    interrupt_when,
    python,
    rum,
    rum_process,
    start,
)
from tests.marks import needs_posix
from tests.runs import last_saved_step, read_records

pytestmark = needs_posix

COPYING = ["train", "copying", *SMALL_RUM, "--set=train.eval_every=4"]
# Sums in another order differ by some units in the last place, and grow as the weights change.
ROUNDING = 1e-5


def assert_same_losses(found, expected):
    """Assert that two runs have the same losses at the same steps, within rounding."""
    one, other = read_records(found), read_records(expected)
    assert [record["step"] for record in one] == [record["step"] for record in other]
    for name in ("loss", "val_loss"):
        values = [record[name] for record in other]
        assert [record[name] for record in one] == pytest.approx(values, rel=ROUNDING)


def workers_alive(folder):
    """Return the commands of all workers of a folder that are at work, as Linux lists them."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            is_worker = any(word.startswith(b"--worker=") for word in words)
            if is_worker and (path.parent / "cwd").readlink() == folder:
                found.append(words)
    return found


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--workers=3"],
            "--workers 3: a batch of 8 can't be shared evenly; try --batch-size 6 or",
        ),
        (["--workers=0"], "--workers 0: expected at least 1"),
        (["--worker=1"], "--worker and --address go together"),
        (["--worker=0", "--address=127.0.0.1:9"], "--worker 0: expected --workers too"),
        (["--worker=2", "--workers=2", "--address=h:9"], "--worker 2: expected 0 to 1"),
        (["--worker=-1", "--address=h:9"], "--worker -1: expected at least 0"),
        (["--worker=1", "--address=h:9", "--dry-run"], "--dry-run and --worker 1 exclude each"),
        (["--worker=1", "--address=here"], "--address here: expected HOST:PORT"),
        (
            ["--worker=0", "--workers=2", "--address=0.0.0.0:29500"],
            "--address 0.0.0.0:29500: expected the address at which the others reach worker 0",
        ),
        (["--workers=2", "--set=precision=mixed_float16"], "mixed_bfloat16 can"),
    ],
)
def test_impossible_worker_options_are_rejected_at_once(tmp_path, options, expected):
    assert_one_line(rum(*COPYING, *options, cwd=tmp_path), 2, expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.e2e
def test_other_backends_have_no_workers(tmp_path):
    result = rum_process(*COPYING, "--workers=2", cwd=tmp_path, env={"KERAS_BACKEND": "jax"})
    assert_one_line(result, 2, "several processes need the backend tensorflow, not jax")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def team():
    """The chief and another process, at an address that is free."""
    address = rendezvous.parse_address(free_address())
    return workers.Team(0, 2, address), workers.Team(1, None, address)


def test_workers_are_notified_of_a_finished_run(team, monkeypatch, capsys):
    monkeypatch.setattr(workers, "_train", lambda *arguments: pytest.fail("it trains"))
    chief, other = team
    showing = Showing(as_json=False, quiet=False, debug=False)
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(workers.dismiss, chief, showing)
        workers.follow(other, None, False, [], showing)
        told.result(60)
    assert "the run is finished\n" in capsys.readouterr().err


def test_finished_run_is_shown_without_the_other_workers(team, monkeypatch, capsys):
    monkeypatch.setattr(workers, "_PATIENCE", 0.5)
    workers.dismiss(team[0], Showing(as_json=False, quiet=True, debug=False))
    assert "warning: worker 1 of 2 did not come to 127.0.0.1:" in capsys.readouterr().err


def test_finished_run_does_not_wait_for_workers(capsys):
    workers.dismiss(None, Showing(as_json=False, quiet=False, debug=False))
    workers.dismiss(workers.Team(0, 2, None), Showing(as_json=False, quiet=False, debug=False))
    assert capsys.readouterr().err == ""


LOST_AT_THE_START = """
import contextlib, os, sys, time
{before}
from rumcli.cli import engine, workers

class Link:
    def watch(self, on_loss):
        self.on_loss = on_loss

workers._GRACE = 0
link = Link()
with workers._linked(link, lambda: None), engine._held_back_stderr():
    with contextlib.suppress(OSError):
        os.write(2, b"a native library says so\\n")
    link.on_loss("worker 1 is gone")
    time.sleep(60)
"""


@pytest.mark.e2e
def test_lost_worker_is_reported_while_library_messages_are_held_back(tmp_path):
    result = python(LOST_AT_THE_START.format(before=""), cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, "rum: error: worker 1 is gone\n")


@pytest.mark.e2e
def test_lost_worker_ends_a_process_without_stderr(tmp_path):
    result = python(LOST_AT_THE_START.format(before="os.close(2)"), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")


def test_two_workers_and_then_one_match_a_single_process(tmp_path):
    # Given 24 steps by one process,
    assert rum(*COPYING, "--steps=24", "--out=one", "--quiet", cwd=tmp_path).returncode == 0
    # when two processes take 20 of them and one continues,
    arguments = [*COPYING, "--steps=20", "--out=two", "--workers=2", "--json"]
    result = rum_process(*arguments, cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 20
    two = tmp_path / "two"
    assert json.loads((two / "environment.json").read_text())["workers"] == 2
    goes_on = rum("train", "--resume=two", "--steps=24", "--quiet", cwd=tmp_path)
    assert goes_on.returncode == 0, goes_on.stderr
    # then it makes no difference.
    assert_same_losses(two, tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("again", [1, 2, 4])
def test_stateful_streams_survive_a_stop_and_another_worker_count(tmp_path, again):
    # Given a text in 8 streams, whose states are carried from step to step,
    small.write_text(tmp_path / "text")
    settings = [f"--set={one}" for one in (*small.SETTINGS, *small.OF_CHARACTERS)]
    plain = ["--cell=rum", "--set=cell.implementation=plain", "--hidden=8", "--batch-size=8"]
    command = ["train", "ptb", "--data=text", *settings, *plain, "--steps=60"]
    assert rum(*command, "--out=one", "--quiet", cwd=tmp_path).returncode == 0
    # when two processes are stopped in the middle of a span and others continue,
    process = start(*command, "--out=two", "--workers=2", cwd=tmp_path, fresh=True)
    two = tmp_path / "two"
    code, _, err = interrupt_when(process, lambda: last_saved_step(two) >= 15)
    assert code == 130, err
    assert err.endswith("to go on: rum train --resume two\n")
    assert workers_alive(tmp_path) == []
    assert last_saved_step(two) < 60
    result = rum_process("train", "--resume=two", f"--workers={again}", cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    # then the losses match those of one uninterrupted process.
    assert_same_losses(two, tmp_path / "one")


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["worker", "chief"])
def test_killed_worker_ends_the_run_which_can_be_resumed(tmp_path, killed):
    # Given two processes started by hand,
    command = [*COPYING, "--steps=400", "--workers=2", f"--address={free_address()}"]
    chief = start(*command, "--worker=0", "--out=two", cwd=tmp_path, fresh=True)
    other = start(*command, "--worker=1", cwd=tmp_path, fresh=True)
    victim, left = (other, chief) if killed == "worker" else (chief, other)
    two = tmp_path / "two"
    # when one is killed,
    interrupt_when(victim, lambda: last_saved_step(two) >= 10, signal.SIGKILL)
    began = time.monotonic()
    _, err = left.communicate(timeout=120)
    # then the other ends soon, with one line,
    assert left.returncode == 1
    assert time.monotonic() - began < 60
    name = "worker 1" if killed == "worker" else "worker 0, the chief,"
    assert err.splitlines()[-1] == f"rum: error: {name} is gone"
    saved = last_saved_step(two)
    assert 10 <= saved < 400
    # and the run resumes with the losses of an uninterrupted one.
    steps = saved // 4 * 4 + 8
    again = rum(*COPYING, f"--steps={steps}", "--out=one", "--quiet", cwd=tmp_path)
    assert again.returncode == 0
    shorter = (two / "config.yaml").read_text().replace("steps: 400", f"steps: {steps}")
    (two / "config.yaml").write_text(shorter)
    result = rum_process("train", "--resume=two", "--workers=2", cwd=tmp_path, fresh=True)
    assert result.returncode == 0, result.stderr
    assert read_records(two)[-1]["loss"] == pytest.approx(
        read_records(tmp_path / "one")[-1]["loss"], rel=1e-4
    )


@pytest.mark.slow
def test_non_finite_loss_ends_all_workers_with_one_line(tmp_path):
    arguments = [*COPYING, "--steps=40", "--workers=2", "--out=two", "--learning-rate=1e38"]
    result = rum_process(*arguments, cwd=tmp_path, fresh=True)
    assert result.returncode == 1
    assert "is not finite" in result.stderr.splitlines()[-1]
    assert len([line for line in result.stderr.splitlines() if "error" in line]) == 1
    assert workers_alive(tmp_path) == []
