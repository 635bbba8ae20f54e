"""Peak memory of a training step, in its own process: `python -m rumcli.benchmark.peak_memory`.

Each subject needs a new process, because the peak memory of a process can't be reset.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

from rumcli import json_parser
from rumcli.benchmark.cases import Case, Subject
from rumcli.errors import RunError

_STEPS = 3


def peak(case: Case, subject: Subject, backend: str) -> int | None:
    """Return the peak resident size of a process that trains for `_STEPS` steps.

    Args:
        case: Case to measure.
        subject: Cell to measure.
        backend: Name of the Keras backend.

    Returns:
        The size in bytes; None on Windows, which is not supported.

    Raises:
        RunError: If the process fails; with its last line of output.
    """
    if sys.platform == "win32":
        return None
    request = json.dumps([case.model_dump(), dataclasses.asdict(subject)])
    result = subprocess.run(
        [sys.executable, "-m", "rumcli.benchmark.peak_memory"],
        input=request,
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    if result.returncode != 0 or not lines:
        why = lines[-1] if lines else f"exit code {result.returncode}"
        raise RunError(f"measuring the memory of {subject.label} at {case.name} failed: {why}")
    return int(lines[-1])


def _main() -> None:
    from rumcli.benchmark.measure import prepare

    case, subject = json_parser.parse(sys.stdin.read())
    prepare(Case(**case), Subject(**subject)).run(_STEPS)
    sys.stdout.write(f"{_largest_size()}\n")


def _largest_size() -> int:
    # On Linux, `ru_maxrss` includes the size of the forked parent before `exec`.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size  # bytes on macOS, else kilobytes


if __name__ == "__main__":
    _main()
