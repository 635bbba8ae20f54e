"""A command from the fork server behaves like one in a new interpreter."""

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
def test_fork_has_the_output_and_exit_code_of_a_new_interpreter(tmp_path, finished_run, arguments):
    arguments = [argument.format(run=finished_run) for argument in arguments]
    forked, fresh = (rum_process(*arguments, cwd=tmp_path, fresh=fresh) for fresh in (False, True))
    assert forked.stdout == fresh.stdout
    # The fork server has imported TensorFlow; only a new interpreter announces that it does.
    assert forked.stderr == fresh.stderr.replace("starting TensorFlow\n", "")
    assert forked.returncode == fresh.returncode


@pytest.mark.e2e
def test_fork_can_be_waited_for_and_killed(tmp_path):
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
def test_uncaught_exception_ends_a_fork_as_it_ends_python(tmp_path):
    # A directory shadows the package: the command cannot start.
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
def test_variable_read_at_import_needs_a_new_interpreter(name, value, allowed):
    assert can_be_forked(environment({name: value})) is allowed


def test_environment_variable_disables_forking(monkeypatch):
    monkeypatch.setenv("RUM_TESTS_FRESH", "1")
    assert not can_be_forked(environment())
