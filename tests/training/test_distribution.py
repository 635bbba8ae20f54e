"""Devices and processes of a run, without JAX: which are chosen, and what is refused."""

import socket
import sys
import time
from types import SimpleNamespace

import pytest

from rumcli.errors import ConfigError
from rumcli.training import distribution
from rumcli.training.distribution import Placement, Runtime


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


def test_more_devices_than_there_are_raises_an_error():
    message = r"--devices 4: a process has 2 of them \(CUDA\); expected at most that"
    with pytest.raises(ConfigError, match=message):
        chosen(Placement(4), fake_jax(2, platform="cuda"))


def test_processes_with_different_numbers_of_devices_raise_an_error():
    with pytest.raises(ConfigError, match="the processes have 1, 2 devices; expected as many"):
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
def test_process_that_never_comes_ends_the_wait(monkeypatch, rank, expected):
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
    runtime = Runtime(Placement(None, "h:1", 2, 1), pytest.fail, go_on=stop)
    with pytest.raises(SystemExit):
        runtime._join()


@pytest.mark.parametrize(
    ("address", "expected"), [("h:1", ("h", 1)), ("[::1]:29500", ("::1", 29500))]
)
def test_address_is_a_host_and_a_port(address, expected):
    assert distribution.split(address) == expected


def test_own_address_is_that_which_reaches_the_coordinator():
    assert distribution._own_address("127.0.0.1:29500") == "127.0.0.1"
    assert distribution._own_address("no such host:1") is None
    assert distribution._own_address(None) is None
