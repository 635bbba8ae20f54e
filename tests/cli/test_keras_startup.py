"""Freed memory is reused without the kernel, unless the user configures the allocator."""

import os
import platform
import subprocess
import sys

import pytest

from rumcli.cli import _keras_startup

# Page faults while 50 MB are taken and given back in a thread, ten times after a first one.
SCRIPT = """
import resource, threading
from rumcli.cli import _keras_startup

_keras_startup.keep_freed()
found = []

def work():
    bytearray(50 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        bytearray(50 << 20)
    found.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print(found[0])
"""


pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc alone")


def faults(**variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(result.stdout)


def test_freed_memory_is_reused_for_the_next_array():
    assert faults() < 1000


def test_user_settings_are_kept():
    # The defaults of glibc: every large array has a mapping of its own.
    assert faults(MALLOC_MMAP_MAX_="65536", MALLOC_MMAP_THRESHOLD_="131072") > 10_000


def test_doctor_reports_whether_freed_memory_is_kept(monkeypatch):
    for variable in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(variable)
    assert _keras_startup.describe_allocator() == {"keeps_freed": True, "reason": None}
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert _keras_startup.describe_allocator()["reason"] == "the environment sets MALLOC_ARENA_MAX"
    monkeypatch.setattr("sys.platform", "darwin")
    assert _keras_startup.describe_allocator()["keeps_freed"] is False
