"""Signals, in processes of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.commands import COMMAND, environment
from tests.marks import needs_posix

pytestmark = needs_posix

# Native code that holds the main thread and lets other threads run, as a compiler does: it waits
# for a lock that it holds itself, which takes no CPU time.
STUCK = """
import ctypes, sys, threading
from rumcli import signals
{setup}
    threading.Timer(0.2, lambda: print("ready", flush=True)).start()
    native, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(128)
    native.pthread_mutex_init(mutex, None)
    native.pthread_mutex_lock(mutex)
    native.pthread_mutex_lock(mutex)
"""
OF_A_RUN = STUCK.format(setup="signals.install()\nwith signals.listening() as request:")
OF_A_COMMAND = STUCK.format(setup="signals.install()\nif True:")
FREE = """
import time
from rumcli import signals
with signals.listening() as request:
    print("ready", flush=True)
    while request.signal is None:
        time.sleep(0.01)
print("noted", int(request.signal))
"""
# The signal arrives while the modules of the command line are imported.
IMPORTING = """
import os, signal, sys
from rumcli import __main__
class Signal:
    def find_spec(self, name, path, target=None):
        if name == "rumcli.cli.app":
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Signal())
__main__.run()
"""
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def start_program(program):
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


@BOTH
def test_a_run_in_native_code_announces_the_first_signal_and_ends_at_the_second(number):
    with start_program(OF_A_RUN) as process:
        process.send_signal(signal.SIGTERM)
        # Long before the main thread is done.
        assert process.stderr.readline() == (
            "rum: received SIGTERM: the run stops after the current step and saves; a second "
            "signal ends it at once, without saving\n"
        )
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert process.stderr.read() == "rum: error: interrupted\n"


def test_a_second_signal_does_not_end_a_program_that_calls_the_package(monkeypatch):
    """A notebook would lose all that it has computed."""
    from rumcli import signals

    ended = []
    monkeypatch.setattr(signals, "_GRACE", 0.0)
    monkeypatch.setattr(signals._Watcher, "_end", lambda self, number: ended.append(number))
    with signals.listening() as request:
        signal.raise_signal(signal.SIGINT)
        assert request.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.1)
    assert ended == []


@BOTH
def test_a_command_in_native_code_announces_its_end_and_ends(number):
    with start_program(OF_A_COMMAND) as process:
        process.send_signal(number)
        name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
        line = f"rum: received {name}: ending; a second signal ends at once\n"
        assert process.stderr.readline() == line
        assert process.wait(60) == 128 + number
        assert process.stderr.read() == "rum: error: interrupted\n"


def test_first_signal_is_only_recorded():
    with start_program(FREE) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == f"noted {int(signal.SIGTERM)}\n"
        assert process.wait(60) == 0


@BOTH
def test_a_signal_during_the_imports_ends_the_command_without_a_traceback(number):
    code = IMPORTING.format(number=int(number))
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (128 + number, "rum: error: interrupted\n")


@pytest.mark.e2e
def test_ctrl_c_while_tensorflow_is_imported_ends_the_command(tmp_path):
    with subprocess.Popen(
        [*COMMAND, "presets", "show", "copying", "--summary"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr.readline() == "starting TensorFlow\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        lines = process.stderr.read().splitlines()
        assert process.wait(60) == 130
        assert lines[-1] == "rum: error: interrupted"
        assert all(line.startswith("rum: ") for line in lines)


@pytest.mark.e2e
def test_a_live_display_prints_the_announcement_above_itself(tmp_path):
    from rumcli import signals

    seen = []
    response = signals.Response("stops", note=lambda number: None)
    with signals.responding(response), signals.shown_by(seen.append):
        os.kill(os.getpid(), signal.SIGTERM)
        deadline = time.monotonic() + 10
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
    assert seen == ["rum: received SIGTERM: stops"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
