"""Terminals, locales and homes that are not as they are on a desk; memory that does not suffice."""

import re
import signal
import sys

import pytest

from tests.cli.commands import SMALL, assert_one_line, interrupt_when, rum, rum_process, start
from tests.cli.terminal import in_a_terminal
from tests.faults.runs import ARGUMENTS, needs_posix, newest

_SHORT = ["train", "copying", "--steps=20", *SMALL]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.e2e
@needs_posix
def test_a_terminal_of_40_columns_without_colour_is_never_overrun(tmp_path):
    variables = {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "40"}
    text = in_a_terminal(tmp_path, variables, *_SHORT)
    assert set(_COLOUR.findall(text)) <= {"\x1b[0m", "\x1b[1m", "\x1b[2m"}
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
@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that nobody can write to")
def test_neither_utf_8_nor_a_home_to_write_to_is_needed(tmp_path):
    home = "/proc"  # to which not even root can write
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    env = {**plain, "PYTHONCOERCECLOCALE": "0", "HOME": home, "TERM": ""}
    result = rum_process(*_SHORT, "--out=x", cwd=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert "memoryless" in result.stdout
    assert (result.stdout + result.stderr).isascii()


@pytest.mark.e2e
@needs_posix
def test_the_second_interrupt_ends_a_run_at_once_and_nothing_is_lost(tmp_path):
    # A step that takes long, so that the first one is not obeyed before the second.
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
    assert err.splitlines()[-1].startswith(("rum: error: interrupted", "stopped; saved at step"))
    assert not (run / "lock").exists()
    assert list(run.rglob(".*.part")) == []


@pytest.mark.e2e
@needs_posix
def test_a_terminal_that_closes_lets_the_run_save(tmp_path):
    arguments = [*ARGUMENTS, "--steps=100000", "--out=run", "--quiet"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    run = tmp_path / "run"
    code, _, err = interrupt_when(
        process, lambda: bool(list(run.glob("checkpoints/step-*"))), signal.SIGHUP
    )
    assert code == 129
    assert "to go on: rum train --resume run" in err
    assert newest(run)


def test_a_step_that_is_larger_than_the_machine_is_refused_with_its_size(tmp_path):
    arguments = ["train", "copying", "--cell=gru", "--batch-size=1000000", "--delay=100000"]
    result = rum(*arguments, "--quiet", "--out=x", cwd=tmp_path)
    assert_one_line(result, 2, "a training step takes at least ")
    assert "lower --batch-size (1,000,000), --delay (100,000) or --hidden (" in result.stderr
    assert not (tmp_path / "x").exists()
    # Of weights that are too many it is told before they are made, which would take minutes.
    arguments = ["train", "copying", "--cell=rum", "--hidden=1000000"]
    result = rum(*arguments, "--quiet", "--out=x", cwd=tmp_path)
    assert_one_line(result, 2, "a training step takes at least 8e+03 GB of memory, and there are ")
    assert not (tmp_path / "x").exists()


@needs_posix
@pytest.mark.skipif(sys.platform != "linux", reason="limits of addresses are Linux's")
@pytest.mark.slow
def test_memory_that_runs_out_in_a_step_is_told_with_what_to_lower(tmp_path):
    import resource

    # What TensorFlow takes for itself, and not enough for sixteen batches at once. Where small
    # pieces are wanting too, it may end without a word.
    limit = 6 * 10**9

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    arguments = [*_SHORT, "--batch-size=1000000"]
    result = rum_process(*arguments, "--quiet", cwd=tmp_path, preexec_fn=limited)
    assert result.returncode == 1
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("rum: error: out of memory: a training step takes at least ")
    assert "lower --batch-size (1,000,000), --delay (4) or --hidden (" in complaint
