"""A command from the fork server is, to whoever runs it, one in an interpreter of its own."""

import signal
import subprocess

import pytest

from tests.cli.commands import SMALL, environment, rum_process
from tests.cli.forking import ForkedProcess, can_be_forked

pytestmark = pytest.mark.skipif(
    not can_be_forked(environment()), reason="no command is forked here"
)


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [
        ["eval", "{run}", "--json"],
        ["eval", "{run}/config.yaml", "--debug"],
        ["train", "--help"],
    ],
    ids=["a result", "a traceback", "a help"],
)
def test_it_says_the_same_and_ends_with_the_same_code(tmp_path, finished_run, arguments):
    arguments = [argument.format(run=finished_run) for argument in arguments]
    forked, fresh = (rum_process(*arguments, cwd=tmp_path, fresh=fresh) for fresh in (False, True))
    assert forked.stdout == fresh.stdout
    assert forked.stderr == fresh.stderr
    assert forked.returncode == fresh.returncode


@pytest.mark.e2e
def test_it_can_be_waited_for_and_killed(tmp_path):
    arguments = ["train", "copying", "--steps=1000000", *SMALL]
    process = ForkedProcess(arguments, tmp_path, environment())
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert process.poll() == -signal.SIGKILL
    process.send_signal(signal.SIGKILL)  # is nothing any more


@pytest.mark.e2e
def test_a_failure_of_the_process_s_own_is_that_of_python(tmp_path):
    # A folder of that name in the place of our package: the command itself can't be started.
    (tmp_path / "rumcli").mkdir()
    (tmp_path / "rumcli" / "__init__.py").touch()
    forked, fresh = (rum_process("--version", cwd=tmp_path, fresh=fresh) for fresh in (False, True))
    assert forked.returncode == fresh.returncode == 1
    assert "No module named rumcli.__main__" in forked.stderr
    assert "No module named rumcli.__main__" in fresh.stderr


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("COLUMNS", "60", True),
        ("FORCE_COLOR", "1", False),
        ("KERAS_BACKEND", "tensorflow", False),
        ("PYTHONIOENCODING", "ascii", False),
        ("XLA_FLAGS", "", False),
    ],
)
def test_a_variable_that_libraries_read_at_their_start_needs_an_interpreter(name, value, allowed):
    assert can_be_forked(environment({name: value})) is allowed


def test_those_who_doubt_have_an_interpreter_for_every_command(monkeypatch):
    monkeypatch.setenv("RUM_TESTS_FRESH", "1")
    assert not can_be_forked(environment())
