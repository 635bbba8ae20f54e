"""What Ray leaves behind in this process, with a stand-in for Ray."""

import logging
import os
import signal
import sys
from types import SimpleNamespace

import pytest

from rumcli.errors import ConfigError
from rumcli.sweeps import connection

TERMINATED = 128 + signal.SIGTERM


@pytest.fixture
def before():
    """What SIGTERM did before Ray was there."""

    def handler(number, frame):
        pass

    original = signal.signal(signal.SIGTERM, handler)
    levels = {name: logging.getLogger(name).level for name in ("ray", "ray.tune", "ray.train")}
    yield handler
    signal.signal(signal.SIGTERM, original)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def stand_in(monkeypatch, starts=lambda: None):
    """Put something in the place of Ray that takes SIGTERM as Ray does; return what it is told."""
    told = []

    def init(**options):
        told.append("init")
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
        starts()

    fake = SimpleNamespace(init=init, shutdown=lambda: told.append("shutdown"))
    monkeypatch.setitem(sys.modules, "ray", fake)
    return told


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_is_as_before_once_ray_is_gone(before, monkeypatch):
    told = stand_in(monkeypatch)
    with connection.ray("here:6379", 1, debug=False):
        assert told == ["init"]
    assert told == ["init", "shutdown"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("before")
def test_sigterm_ends_with_its_own_code_and_ray_is_ended_too(monkeypatch):
    told = stand_in(monkeypatch)
    with pytest.raises(SystemExit) as ended, connection.ray("here:6379", 1, debug=False):
        terminate()
    assert ended.value.code == TERMINATED
    assert told == ["init", "shutdown"]


def test_sigterm_while_ray_starts_ends_with_its_own_code(before, monkeypatch):
    stand_in(monkeypatch, starts=terminate)
    with pytest.raises(SystemExit) as ended, connection.ray("here:6379", 1, debug=False):
        pytest.fail("Ray has started")
    assert ended.value.code == TERMINATED
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("kind", [ConnectionError, Exception])
def test_a_cluster_that_refuses_is_told_in_one_line(monkeypatch, kind):
    def refuse():
        raise kind("there is\nno cluster")

    stand_in(monkeypatch, starts=refuse)
    with (
        pytest.raises(ConfigError, match="--address here:6379: can't start on Ray: there is no c"),
        connection.ray("here:6379", 1, debug=False),
    ):
        pytest.fail("Ray has started")


def test_a_current_folder_that_ray_cannot_take_is_named(before, monkeypatch):
    def fail():
        "a\udcff".encode()

    stand_in(monkeypatch, fail)
    with (
        pytest.raises(ConfigError, match="is not valid Unicode; start from another folder"),
        connection.ray(None, 1, False),
    ):
        pass
