"""Selection of the devices and processes of a run, without JAX.

Loss of another process: what JAX reports of it, and its abort as one line.
"""

import socket
import sys
import time
from types import SimpleNamespace

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.training import distribution
from rumcli.training.distribution import PeerMonitor, Placement, Runtime, explain_peer_failure
from tests.cli.commands import python
from tests.marks import needs_posix

FATAL = "Terminating process because the JAX distributed service detected fatal errors. "
UNHEALTHY = (
    "UNAVAILABLE: The following tasks are unhealthy (stopped sending heartbeats):\n1\n"
    "The tasks have crashed. Check the task logs."
)
RPC = "UNAVAILABLE: Failed to send RPC to coordination service. Either the leader task"


def fake_jax(*per_process, platform="cpu"):
    devices = [
        SimpleNamespace(platform=platform, id=number, process_index=rank)
        for rank, count in enumerate(per_process)
        for number in range(10 * rank, 10 * rank + count)
    ]
    return SimpleNamespace(devices=lambda: devices, process_count=lambda: len(per_process))


def chosen(placement, jax):
    return [device.id for device in Runtime(placement, pytest.fail)._chosen(jax)]


@pytest.mark.parametrize(
    ("devices", "per_process", "expected"),
    [
        (None, (4,), [0]),
        ("all", (3,), [0, 1, 2]),
        (2, (3,), [0, 1]),
        (None, (1, 1), [0, 10]),
        (2, (3, 3), [0, 1, 10, 11]),
    ],
)
def test_devices_are_chosen_in_the_order_of_the_rows(devices, per_process, expected):
    assert chosen(Placement(devices), fake_jax(*per_process)) == expected


def test_more_devices_than_available_raises_an_error():
    message = r"--devices 4: a process has 2 devices \(CUDA\); expected at most 2"
    with pytest.raises(ConfigError, match=message):
        chosen(Placement(4), fake_jax(2, platform="cuda"))


def test_processes_with_different_numbers_of_devices_raise_an_error():
    with pytest.raises(
        ConfigError, match="the processes have 1, 2 devices; expected the same number"
    ):
        chosen(Placement(), fake_jax(1, 2))


def test_one_device_needs_no_runtime():
    runtime = Runtime(Placement(), pytest.fail)
    runtime.watch()
    runtime.start()
    runtime.finish()
    assert runtime.group.devices == 1
    assert not distribution.has_joined()


def test_coordinator_needs_a_free_port_of_this_machine():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match="process 0 cannot listen there: Address already"):
            distribution.check_free(address)
    distribution.check_free(address)
    with pytest.raises(ConfigError, match="expected a free port at an address of this machine"):
        distribution.check_free("198.51.100.7:29500")


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (0, "--coordinator h:1: not all 3 processes joined in 0.01 seconds; start the same"),
        (1, "--coordinator h:1: process 0 cannot be reached there, or not all 3 processes"),
    ],
)
def test_wait_for_a_missing_process_times_out(monkeypatch, rank, expected):
    monkeypatch.setattr(distribution, "check_free", lambda address: None)
    waiting = SimpleNamespace(initialize=lambda **options: time.sleep(1))
    jax = SimpleNamespace(distributed=waiting, config=SimpleNamespace(update=lambda *_: None))
    monkeypatch.setitem(sys.modules, "jax", jax)
    runtime = Runtime(Placement(None, "h:1", 3, rank, timeout=0.01), pytest.fail)
    with pytest.raises(ConfigError, match=expected):
        runtime._join()


def test_stop_request_ends_the_wait(monkeypatch):
    def stop():
        raise SystemExit(143)

    waiting = SimpleNamespace(initialize=lambda **options: time.sleep(1))
    jax = SimpleNamespace(distributed=waiting, config=SimpleNamespace(update=lambda *_: None))
    monkeypatch.setitem(sys.modules, "jax", jax)
    runtime = Runtime(Placement(None, "h:1", 2, 1), pytest.fail, poll=stop)
    with pytest.raises(SystemExit):
        runtime._join()


@pytest.mark.parametrize(
    ("address", "expected"), [("h:1", ("h", 1)), ("[::1]:29500", ("::1", 29500))]
)
def test_address_is_a_host_and_a_port(address, expected):
    assert distribution.split(address) == expected


def test_local_address_is_the_one_that_routes_to_the_coordinator():
    assert distribution._own_address("127.0.0.1:29500") == "127.0.0.1"
    assert distribution._own_address("no such host:1") is None
    assert distribution._own_address(None) is None


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
            "two processes have the same number; expected --process 0",
        ),
        ("ALREADY_EXISTS: Aborted connect attempt", ConfigError, "two processes have the same"),
        ("free(): invalid pointer\n\n", RunError, "the backend aborted: free(): invalid pointer;"),
    ],
)
def test_report_of_an_abort_becomes_one_line(report, kind, expected):
    error = explain_peer_failure(report, "; to resume: rum")
    assert type(error) is kind
    assert str(error).startswith(expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("UNKNOWN: Gloo AllGather failed"), "another process of the run ended"),
        (ValueError("a bug"), None),
    ],
)
def test_only_network_exceptions_count_as_a_lost_process(monkeypatch, error, expected):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    found = PeerMonitor(pytest.fail, "; to resume").reason(error)
    assert found == expected or found.startswith(expected)


ABORT = """
import os, sys, threading, time
from rumcli.training import distribution

distribution._GRACE = {grace}
show = lambda text: print(f"line: {{text}}", file=sys.stderr)
one = distribution.PeerMonitor(show, "; to resume")
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
