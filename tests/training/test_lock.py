import json
import multiprocessing
import os
import signal
import socket
import sys
import time

import pytest

from rumcli.errors import RunError
from rumcli.training import lock

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def owner_of(folder):
    return json.loads((folder / "lock").read_text())


def leave_behind(folder, age=0.0, **changes):
    """Write the lock of a process that does not hold it any more."""
    owner = {"host": socket.gethostname(), "process": 4711, "since": "2026-01-01 00:00:00"}
    path = folder / "lock"
    path.write_text(json.dumps({**owner, **changes}))
    os.utime(path, (time.time() - age, time.time() - age))


def hold(folder, ready):
    with lock.held(folder):
        ready.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """Return another process that holds the folder."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    process = spawning.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()
    process.join()


def test_a_folder_is_free_again_and_nothing_is_left(tmp_path):
    for _ in range(2):
        with lock.held(tmp_path) as before:
            assert before is None
            owner = owner_of(tmp_path)
            assert (owner["host"], owner["process"]) == (socket.gethostname(), os.getpid())
        assert list(tmp_path.iterdir()) == []


@needs_posix
def test_a_second_process_is_refused_and_told_who_has_it(tmp_path, holder):
    message = rf"in use by process {holder.pid} on {socket.gethostname()}"
    with pytest.raises(RunError, match=message), lock.held(tmp_path):
        pass
    assert owner_of(tmp_path)["process"] == holder.pid


@needs_posix
def test_the_lock_of_a_killed_process_is_stale(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with lock.held(tmp_path) as before:
        assert before.process == holder.pid
        assert owner_of(tmp_path)["process"] == os.getpid()


def test_the_lock_of_another_machine_holds_while_that_gives_signs_of_life(tmp_path):
    leave_behind(tmp_path, host="elsewhere")
    message = r"process 4711 on elsewhere .* no sign of life for 60 s"
    with pytest.raises(RunError, match=message), lock.held(tmp_path):
        pass
    assert owner_of(tmp_path)["host"] == "elsewhere"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_lock_of_another_machine_that_fell_silent_is_stale(tmp_path):
    leave_behind(tmp_path, host="elsewhere", age=3600)
    with lock.held(tmp_path) as before:
        assert before.host == "elsewhere"


def test_the_owner_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_BEAT", 0.01)
    with lock.held(tmp_path):
        path = tmp_path / "lock"
        os.utime(path, (1000, 1000))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 1000:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x"}', "\x00" * 50, '{"host": 1e999}'])
def test_a_lock_that_says_nothing_is_stale(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    with lock.held(tmp_path) as before:
        assert before is None


def test_a_folder_that_cannot_be_written_is_an_error_of_the_disk(tmp_path):
    with pytest.raises(OSError, match="No such file"), lock.held(tmp_path / "missing"):
        pass
