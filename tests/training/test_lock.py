import contextlib
import json
import multiprocessing
import os
import signal
import socket
import threading
import time

import pytest

from rumcli import atomic_io
from rumcli.errors import ConfigError, RunError
from rumcli.training import lock
from tests.marks import needs_posix


def owner_of(run_dir):
    return json.loads((run_dir / "lock").read_text())


def leave_behind(run_dir, age=0.0, **changes):
    """Write the lock of a process that no longer holds it."""
    owner = {"host": socket.gethostname(), "process": 4711, "since": "2026-01-01 00:00:00"}
    path = run_dir / "lock"
    path.write_text(json.dumps({**owner, **changes}))
    os.utime(path, (time.time() - age, time.time() - age))


def hold(run_dir, ready):
    with lock.held(run_dir):
        ready.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    """Return another process that holds the lock."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    process = spawning.Process(target=hold, args=(tmp_path, ready))
    process.start()
    assert ready.wait(60)
    yield process
    process.kill()
    process.join()


def test_released_lock_leaves_no_file(tmp_path):
    for _ in range(2):
        with lock.held(tmp_path) as before:
            assert before is None
            owner = owner_of(tmp_path)
            assert (owner["host"], owner["process"]) == (socket.gethostname(), os.getpid())
        assert list(tmp_path.iterdir()) == []


@needs_posix
def test_second_process_is_rejected_with_the_owner(tmp_path, holder):
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


def test_lock_of_another_machine_holds_while_its_heartbeat_continues(tmp_path):
    leave_behind(tmp_path, host="elsewhere")
    message = r"process 4711 on elsewhere .* try again 60 seconds after its last heartbeat"
    with pytest.raises(RunError, match=message), lock.held(tmp_path):
        pass
    assert owner_of(tmp_path)["host"] == "elsewhere"
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_lock_of_another_machine_is_stale_without_heartbeat(tmp_path):
    leave_behind(tmp_path, host="elsewhere", age=3600)
    with lock.held(tmp_path) as before:
        assert before.host == "elsewhere"


def test_owner_refreshes_its_heartbeat(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_HEARTBEAT", 0.01)
    with lock.held(tmp_path):
        path = tmp_path / "lock"
        os.utime(path, (1000, 1000))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 1000:
            assert time.monotonic() < deadline
            time.sleep(0.01)


OWNER = '{"host": "x", "process": %s, "since": "now"}'
NO_OWNERS = ["", "{", "[]", '{"host": "x"}', "\x00" * 50, '{"host": 1e999}', "[" * 900]
NO_PROCESSES = ["Infinity", "NaN", "1e999", "-1", "true", '"7"', "9" * 30, "9" * 900, "[]", "1.0"]


@pytest.mark.parametrize("text", [*NO_OWNERS, *(OWNER % one for one in NO_PROCESSES)])
def test_empty_lock_is_stale(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    with lock.held(tmp_path) as before:
        assert before is None


@needs_posix
@pytest.mark.parametrize(
    "kind", ["symbolic link", "dangling link", "hard link", "pipe", "directory"]
)
def test_linked_lock_is_rejected_and_its_target_unchanged(tmp_path, kind):
    mine, path = tmp_path / "mine", tmp_path / "run" / "lock"
    path.parent.mkdir()
    mine.write_text("mine")
    {
        "symbolic link": lambda: path.symlink_to(mine),
        "dangling link": lambda: path.symlink_to(tmp_path / "new"),
        "hard link": lambda: path.hardlink_to(mine),
        "pipe": lambda: os.mkfifo(path),
        "directory": path.mkdir,
    }[kind]()
    with (
        pytest.raises(OSError, match=r"Is a link|Not a regular file|Is a directory"),
        lock.held(path.parent),
    ):
        pass
    assert mine.read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_the_probe_of_the_clock_does_not_go_through_a_link(tmp_path):
    leave_behind(tmp_path, host="elsewhere")
    mine = tmp_path / "mine"
    mine.write_text("")
    os.utime(mine, (1000, 1000))
    (tmp_path / f".lock.{os.getpid()}.part").symlink_to(mine)
    with pytest.raises(RunError), lock.held(tmp_path):
        pass
    assert mine.stat().st_mtime == 1000


def claim(path, *, parent=None):
    return lock.claimed(path, parent, "run", ["config.yaml"])


def test_first_free_number_is_used(tmp_path):
    (tmp_path / "all" / "run-1").mkdir(parents=True)
    (tmp_path / "all" / "run-3").mkdir()
    with claim(None, parent=tmp_path / "all") as one, claim(None, parent=tmp_path / "all") as two:
        assert (one.name, two.name) == ("run-2", "run-4")


CLAIMANTS, ROUNDS = 4, 25


def test_one_of_several_creators_of_a_directory_writes(tmp_path):
    start = threading.Barrier(CLAIMANTS)
    winners: dict[int, list[int]] = {number: [] for number in range(ROUNDS)}
    wrong = []

    def compete(me):
        for number in range(ROUNDS):
            path = tmp_path / str(number)
            start.wait(60)
            try:
                with claim(path):
                    config = path / "config.yaml"
                    if config.exists():
                        wrong.append((number, me))
                    atomic_io.write_text(config, str(me))
                    winners[number].append(me)
            except (ConfigError, RunError):
                pass

    # flock belongs to an open file: threads exclude each other as processes do.
    threads = [threading.Thread(target=compete, args=(me,)) for me in range(CLAIMANTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []
    assert all(len(found) == 1 for found in winners.values()), winners
    written = {
        number: int((tmp_path / str(number) / "config.yaml").read_text()) for number in winners
    }
    assert written == {number: found[0] for number, found in winners.items()}


def test_abandoned_directory_can_be_created_by_another_process(tmp_path):
    stop, taken = threading.Event(), 0

    def give_up():
        while not stop.is_set():
            with contextlib.suppress(ConfigError, RunError), claim(tmp_path / "run") as path:
                atomic_io.write_text(path / "config.yaml", "theirs")
                raise ConfigError("found late")

    thread = threading.Thread(target=give_up)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while taken < 20 and time.monotonic() < deadline:
            with contextlib.suppress(RunError, ConfigError), claim(tmp_path / "run") as path:
                atomic_io.write_text(path / "config.yaml", "mine")
                taken += 1
                assert (path / "config.yaml").read_text() == "mine"
                (path / "config.yaml").unlink()
    finally:
        stop.set()
        thread.join(60)
    assert taken == 20


def test_unwritable_directory_raises_os_error(tmp_path):
    with pytest.raises(OSError, match="No such file"), lock.held(tmp_path / "missing"):
        pass
