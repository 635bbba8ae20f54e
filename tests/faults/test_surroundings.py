"""Unusual terminals, locales and home directories, and too little memory."""

import re
import signal
import sys

import pytest

from tests.cli.commands import SMALL, assert_one_line, interrupt_when, rum, rum_process, start
from tests.cli.terminal import in_a_terminal
from tests.faults.runs import ARGUMENTS
from tests.marks import needs_posix
from tests.runs import newest_checkpoint

_SHORT = ["train", "copying", "--steps=20", *SMALL]
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.e2e
@needs_posix
def test_output_fits_40_columns_without_color(tmp_path):
    variables = {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "40"}
    text = in_a_terminal(tmp_path, variables, *_SHORT)
    assert set(_COLOR.findall(text)) <= {"\x1b[0m", "\x1b[1m", "\x1b[2m"}
    live = [line for line in re.split(r"[\r\n]", _CONTROL.sub("", text)) if "━" in line]
    assert live
    assert max(map(len, live)) <= 40


@pytest.mark.slow
@needs_posix
def test_lines_in_a_narrow_dumb_terminal_are_wrapped_between_words(tmp_path):
    text = in_a_terminal(tmp_path, {"TERM": "dumb", "COLUMNS": "40"}, *_SHORT)
    assert "step 20/20: validation" in text
    assert max(map(len, text.splitlines())) <= 40


@pytest.mark.e2e
@needs_posix
@pytest.mark.skipif(sys.platform != "linux", reason="needs a directory without write permission")
def test_training_needs_neither_utf_8_nor_a_writable_home(tmp_path):
    home = "/proc"  # not even root can write there
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    env = {**plain, "PYTHONCOERCECLOCALE": "0", "HOME": home, "TERM": ""}
    result = rum_process(*_SHORT, "--out=x", cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert "memoryless" in result.stdout
    assert (result.stdout + result.stderr).isascii()


@pytest.mark.e2e
@needs_posix
def test_second_interrupt_ends_a_run_at_once_without_loss(tmp_path):
    # A slow step, so that the second interrupt arrives before the first is handled.
    slow = ["--delay=3000", "--batch-size=64", "--hidden=64"]
    arguments = [*ARGUMENTS, *slow, "--steps=100", "--out=run", "--quiet"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    run = tmp_path / "run"
    interrupted = []

    def is_interrupted():
        if (run / "environment.json").exists() and not interrupted:
            process.send_signal(signal.SIGINT)
            interrupted.append(True)
        return bool(interrupted)

    code, _, err = interrupt_when(process, is_interrupted)
    assert code == 130
    assert err.splitlines()[-1].startswith(
        ("rum: error: interrupted", "stopped; saved", "stopped before")
    )
    assert not (run / "lock").exists()
    assert list(run.rglob(".*.part")) == []


@pytest.mark.e2e
@needs_posix
def test_closed_terminal_saves_the_run(tmp_path):
    arguments = [*ARGUMENTS, "--steps=100000", "--out=run", "--quiet"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    run = tmp_path / "run"
    code, _, err = interrupt_when(
        process, lambda: bool(list(run.glob("checkpoints/step-*"))), signal.SIGHUP
    )
    assert code == 129
    assert "to resume: rum train --resume run" in err
    assert newest_checkpoint(run)


def test_step_that_exceeds_memory_is_rejected_with_its_size(tmp_path):
    arguments = ["train", "copying", "--cell=gru", "--batch-size=1000000", "--delay=100000"]
    result = rum(*arguments, "--quiet", "--out=x", cwd=tmp_path)
    assert_one_line(result, 2, "a training step takes at least ")
    assert (
        "lower train.batch_size (1,000,000), task.delay (100,000) or cell.units (" in result.stderr
    )
    assert not (tmp_path / "x").exists()
    # Too many weights are reported before they are created, which would take minutes.
    arguments = ["train", "copying", "--cell=rum", "--hidden=1000000"]
    result = rum(*arguments, "--quiet", "--out=x", cwd=tmp_path)
    assert_one_line(
        result, 2, "a training step takes at least 8,000.0 GB of memory, but this machine has "
    )
    assert not (tmp_path / "x").exists()


@needs_posix
@pytest.mark.skipif(sys.platform != "linux", reason="address space limits require Linux")
@pytest.mark.slow
def test_out_of_memory_error_names_the_options_to_lower(tmp_path):
    import resource

    # Enough for TensorFlow itself, but not for sixteen batches at once. Where small
    # allocations fail too, it may end silently.
    limit = 6 * 10**9

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    arguments = [*_SHORT, "--batch-size=1000000"]
    result = rum_process(*arguments, "--quiet", cwd=tmp_path, preexec_fn=limited)
    assert result.returncode == 1
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("rum: error: out of memory: a training step takes at least ")
    assert "lower train.batch_size (1,000,000), task.delay (4) or cell.units (" in complaint
