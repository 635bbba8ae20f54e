"""Loss of another process: what JAX reports of it, and its abort as one line."""

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.training.peer_failure import PeerMonitor, explain
from tests.cli.commands import python
from tests.marks import needs_posix

FATAL = "Terminating process because the JAX distributed service detected fatal errors. "
UNHEALTHY = (
    "UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats):\n1\n"
    "The tasks have crashed. Check the task logs."
)
RPC = "UNAVAILABLE: Failed to send RPC to coordination service. Either the leader task"


@pytest.mark.parametrize(
    ("report", "kind", "expected"),
    [
        (FATAL + UNHEALTHY, RunError, "process 1 ended or cannot be reached; to resume: rum"),
        (UNHEALTHY.replace("\n1\n", "\n1, 3\n"), RunError, "process 1, 3 ended or cannot"),
        (FATAL + RPC, RunError, "process 0 ended or cannot be reached; to resume: rum"),
        (FATAL, RunError, "another process of the run ended or cannot be reached; to resume: rum"),
        ("", RunError, "another process of the run ended or cannot be reached; to resume: rum"),
        (
            "ABORTED: 1 unexpectedly tried to connect with a different incarnation.",
            ConfigError,
            "two processes have the same number; give each its own",
        ),
        ("ALREADY_EXISTS: Aborted connect attempt", ConfigError, "two processes have the same"),
        ("free(): invalid pointer\n\n", RunError, "the backend aborted: free(): invalid pointer;"),
    ],
)
def test_report_of_an_abort_becomes_one_line(report, kind, expected):
    error = explain(report, "; to resume: rum")
    assert type(error) is kind
    assert str(error).startswith(expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("UNKNOWN: Gloo AllGather failed"), "another process of the run ended"),
        (ValueError("a bug"), None),
    ],
)
def test_exception_of_the_network_is_a_loss_and_others_are_not(monkeypatch, error, expected):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    found = PeerMonitor(pytest.fail, "; to resume").reason(error)
    assert found == expected or found.startswith(expected)


ABORT = """
import os, sys, threading, time
from rumcli.training import peer_failure

peer_failure._GRACE = {grace}
show = lambda text: print(f"line: {{text}}", file=sys.stderr)
one = peer_failure.PeerMonitor(show, "; to resume")
one.watch()
one.is_over = {is_over}
print("stdout stays")
os.write(1, b"native messages are held back")
os.write(2, b"JAX distributed service: Failed to send RPC to coordination service")
threading.Thread(target=os.abort, daemon=True).start()
time.sleep({sleep})
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.e2e
@needs_posix
def test_abort_of_a_native_thread_ends_the_process_with_one_line(tmp_path):
    result = python(ABORT.format(grace=0.1, is_over=False, sleep=60), cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "line: process 0 ended or cannot be reached; to resume\n"
    assert result.stdout == "stdout stays\n"


@pytest.mark.e2e
@needs_posix
def test_abort_after_the_end_of_the_run_changes_nothing(tmp_path):
    result = python(ABORT.format(grace=0.1, is_over=True, sleep=1), cwd=tmp_path)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "stdout stays\n")
