"""The real command: inside the test's process, or in one of its own where the test needs that.

Such a process is a fork of one that has imported TensorFlow, where possible; see
`tests/cli/forking.py`.
"""

import re
import signal
import subprocess
import sys
import time

from tests.cli import in_process
from tests.cli.forking import ForkedProcess, can_be_forked, environment

_SMALL = [
    "--delay=4",
    "--hidden=8",
    "--batch-size=8",
    "--set=train.eval_every=10",
    "--set=train.checkpoint_every=5",
    "--set=task.validation_examples=20",
    "--set=task.test_examples=20",
]
# The cell that is built fastest; and ours, without the fused loop, whose compilation takes longer
# than such a run.
SMALL = [*_SMALL, "--cell=gru"]
SMALL_RUM = [*_SMALL, "--cell=rum", "--set=cell.implementation=plain"]
COMMAND = [sys.executable, "-m", "rumcli"]
SECONDS = 300  # after which a command hangs


def rum(*arguments, cwd, env=None):
    """Run `rum` to its end inside this process.

    Args:
        arguments: Command line after `rum`.
        cwd: Working directory.
        env: Environment variables, of those in `in_process.READ_LATE`.
    """
    assert set(env or ()) <= in_process.READ_LATE, "such a variable needs rum_process()"
    return in_process.run(list(map(str, arguments)), cwd, env)


def rum_process(*arguments, cwd, fresh=False, **options):
    """Run `rum` to its end in a process of its own; for tests marked `e2e`.

    Args:
        arguments: Command line after `rum`.
        cwd: Working directory.
        fresh: Whether to start a new interpreter in any case, instead of a fork.
        options: Those of `subprocess.run`; all but `env` need a new interpreter.
    """
    command = [*COMMAND, *map(str, arguments)]
    env = environment(options.pop("env", {}))
    if not fresh and not options and can_be_forked(env):
        process = ForkedProcess(command[len(COMMAND) :], cwd, env)
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.send_signal(signal.SIGKILL)
        return subprocess.CompletedProcess(command, process.returncode, out, err)
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        **options,
    )


def python(code, cwd, env=None):
    """Run Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        check=False,
    )


def start(*arguments, cwd, fresh=False, env=None):
    """Start `rum` in a session of its own and return the process."""
    arguments, env = list(map(str, arguments)), environment(env)
    if not fresh and can_be_forked(env):
        return ForkedProcess(arguments, cwd, env)
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_until(condition, process=None, seconds=240):
    """Wait until `condition()` holds, while a process runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.02)


def interrupt_when(process, condition, number=signal.SIGINT, seconds=120):
    """Send a signal as soon as `condition()` holds; return exit code, stdout, stderr."""
    wait_until(condition, process, seconds)
    process.send_signal(number)
    try:
        out, err = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
    return process.returncode, out, err


def assert_one_line(result, code, expected):
    """Assert that a command ended with `code` and one line on stderr that has `expected` in it."""
    assert result.returncode == code, result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("rum: error: ")
    assert expected in lines[0]
    assert result.stdout == ""


def has_control_characters(text):
    """Tell whether there is more in the text than printable characters and line ends."""
    return re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text) is not None
