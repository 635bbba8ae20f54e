"""Effects of Ray on this process, with a stand-in for Ray."""

import errno
import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.jobs import cluster

TERMINATED = 128 + signal.SIGTERM


@pytest.fixture
def before():
    """Install a SIGTERM handler before Ray starts, and restore the original at the end."""

    def handler(number, frame):
        pass

    original = signal.signal(signal.SIGTERM, handler)
    levels = {name: logging.getLogger(name).level for name in ("ray", "ray.tune", "ray.train")}
    yield handler
    signal.signal(signal.SIGTERM, original)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def stand_in(monkeypatch, starts=lambda: None):
    """Replace Ray by an object that handles SIGTERM as Ray does; return its recorded calls."""
    told = []

    def init(address, **options):
        told.append("init")
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        starts()

    fake = SimpleNamespace(init=init, shutdown=lambda: told.append("shutdown"))
    monkeypatch.setitem(sys.modules, "ray", fake)
    return told


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_handler_is_restored_after_ray(before, monkeypatch):
    told = stand_in(monkeypatch)
    with cluster.connected("here:6379", debug=False):
        assert told == ["init"]
        assert signal.getsignal(signal.SIGTERM) is before
    assert told == ["init", "shutdown"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_sigterm_while_ray_starts_ends_with_its_own_code(before, monkeypatch):
    stand_in(monkeypatch, starts=terminate)
    with pytest.raises(SystemExit) as ended, cluster.connected("here:6379", debug=False):
        pytest.fail("Ray has started")
    assert ended.value.code == TERMINATED
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("kind", [ConnectionError, Exception])
def test_cluster_that_rejects_the_connection_is_reported_in_one_line(monkeypatch, kind):
    def refuse():
        raise kind("there is\nno cluster")

    stand_in(monkeypatch, starts=refuse)
    with (
        pytest.raises(ConfigError, match=r"can.t connect to Ray: there is .*_MODE=token"),
        cluster.connected("here:6379", debug=False),
    ):
        pytest.fail("Ray has started")


def test_a_current_folder_that_ray_cannot_take_is_named(before, monkeypatch):
    def fail():
        "a\udcff".encode()

    stand_in(monkeypatch, fail)
    with (
        pytest.raises(ConfigError, match="is not valid Unicode; start from another directory"),
        cluster.connected("auto", debug=False),
    ):
        pass


class TheirError(Exception):
    """As Ray Tune's, of which the text is a traceback."""


TRACEBACK = """Traceback (most recent call last):
  File "tune_controller.py", line 1227, in _on_result
    on_result(trial, *args, **kwargs)
OSError: [Errno 28] No space left on device
"""


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (TheirError(TRACEBACK), "Ray Tune stopped: OSError: [Errno 28] No space left on"),
        (TheirError(), "Ray Tune stopped: no reason given"),
        (OSError(errno.ENOSPC, "No space left on device"), "can't write to out: No space left"),
        (RunError("can't write to out/point-1-seed-2: No space"), "can't write to out/point-1-s"),
    ],
)
def test_aborted_set_reports_its_cause_in_one_line(raised, expected):
    with pytest.raises(RunError) as error, cluster.converted_errors(Path("out"), TheirError):
        raise raised
    assert str(error.value).startswith(expected)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "127.0.0.1:1",
            "no server listens there: Connection refused; to start a cluster: ray start",
        ),
        ("ray://here:1", "expected HOST:PORT, as 'ray start' shows, or auto"),
        ("here", "expected HOST:PORT"),
    ],
)
def test_unreachable_cluster_is_reported_at_once(address, expected):
    with pytest.raises(ConfigError) as error:
        cluster.check_address(address)
    assert str(error.value).startswith(f"--address {address}: ")
    assert expected in str(error.value)


def test_own_cluster_listens_on_the_loopback_interface_and_has_a_token(before, monkeypatch):
    found = []

    def init(address, **options):
        found.append((address, options["_node_ip_address"], os.environ["RAY_AUTH_MODE"]))
        found.append(os.environ["RAY_AUTH_TOKEN"])

    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init, shutdown=lambda: None))
    for _ in range(2):
        with cluster.connected("local", debug=True, cores=2):
            pass
    assert found[0] == found[2] == ("local", "127.0.0.1", "token")
    assert found[1] != found[3]
    assert min(len(found[1]), len(found[3])) >= 32
