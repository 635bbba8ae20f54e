"""Signals, in processes of their own."""

import signal
import subprocess
import sys
import time

import pytest

# What holds the main thread for minutes, as making a huge matrix does, and lets others run.
STUCK = """
import hashlib, threading
from rumcli.training import stopping
stopping._PATIENCE = 0.5
with stopping.listening() as request:
    # Told by another thread, once the main one is where Python does not get to it.
    threading.Timer(0.5, lambda: print("ready", flush=True)).start()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""
FREE = """
import time
from rumcli.training import stopping
with stopping.listening() as request:
    print("ready", flush=True)
    while request.signal is None:
        time.sleep(0.01)
print("noted", int(request.signal))
"""


def start(program):
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_a_process_that_python_does_not_get_to(number):
    with start(STUCK) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(60) == 128 + number


@pytest.mark.e2e
def test_the_first_signal_is_noted_and_nothing_more():
    with start(FREE) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == f"noted {int(signal.SIGTERM)}\n"
        assert process.wait(60) == 0
