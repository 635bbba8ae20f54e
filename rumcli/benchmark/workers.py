"""Processes that measure: a worker for each Keras backend, and one for each peak memory.

A process supports a single backend, so each backend has a worker process for all rounds. Models are
compiled once. Every round measures each worker in turn, so that drifts in the machine's speed favor
no backend; idle workers use no CPU time. `rumcli.cli.bench` implements the worker.

The peak memory of a process can't be reset, so each subject needs a new process:
`python -m rumcli.benchmark.workers`. This module does not import Keras.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rumcli import parsing
from rumcli.benchmark.cases import Case, Subject, Timing
from rumcli.errors import ConfigError, RunError

# -P: a file in the working directory, such as keras.py, must not shadow a package.
_COMMAND = [sys.executable, "-P", "-m", "rumcli.cli.bench"]
# Processes that share a GPU must not preallocate its memory.
_SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}

_STEPS = 3


class BackendWorker:
    """A process that measures on one backend until it is closed.

    Args:
        backend: Name of a Keras backend.
        is_alone: Whether this is the only backend of the benchmark.
        report: Function that receives a description of the current activity.
        debug: Whether to show the stderr of the process.
    """

    def __init__(
        self, backend: str, is_alone: bool, report: Callable[[str], None], debug: bool
    ) -> None:
        self.backend = backend
        self._report = report
        self._on = "" if is_alone else f" on {backend}"
        # Not a pipe: a full, unread one would block the process.
        self._stderr = None if debug else tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*_COMMAND, *(["--debug"] if debug else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={
                **({} if is_alone else _SHARED_GPU),
                **os.environ,
                "KERAS_BACKEND": backend,
            },
            text=True,
            encoding="utf-8",
        )

    def machine(self) -> dict[str, Any]:
        """Return the result of `measure.describe_host` in the process."""
        found: dict[str, Any] = self._request("machine")
        return found

    def prepare(self, case: Case, chosen: list[Subject]) -> list[Timing]:
        """Build the subjects of a case, and free those of the previous case.

        Returns:
            A timing without samples for each subject.
        """
        subjects = [dataclasses.asdict(subject) for subject in chosen]
        found = self._request("prepare", case=case.model_dump(), subjects=subjects)
        return [
            Timing(subject, self.backend, **one) for subject, one in zip(chosen, found, strict=True)
        ]

    def round(self) -> list[float | None]:
        """Return a sample for each subject, in seconds; None past the subject's time limit."""
        found: list[float | None] = self._request("round")
        return found

    def pace(self, task: str, cell: str, rounds: int) -> dict[str, Any]:
        """Measure whole runs and bare steps, on TensorFlow.

        Returns:
            The fields of a `Pace`.
        """
        found: dict[str, Any] = self._request("pace", task=task, cell=cell, rounds=rounds)
        return found

    def close(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # closing flushes to an ended process
                    stream.close()

    def _request(self, name: str, **arguments: Any) -> Any:
        """Send a request and return the result of its reply.

        Raises:
            ConfigError: If the backend fails to start.
            RunError: If the measurement fails or the process exits.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with contextlib.suppress(OSError):  # reported below: an ended process sends no reply
            stdin.write(json.dumps({"request": name, **arguments}) + "\n")
            stdin.flush()
        for line in stdout:
            reply = parsing.parse_json(line)
            if "status" in reply:
                self._report(f"{reply['status']}{self._on}")
            elif "error" in reply:
                raise self._error(reply)
            else:
                return reply["result"]
        raise RunError(f"measuring on the backend '{self.backend}' failed: {self._cause()}")

    def _error(self, reply: Mapping[str, Any]) -> Exception:
        if reply["usage"]:
            return ConfigError(reply["error"])
        return RunError(f"measuring on the backend '{self.backend}' failed: {reply['error']}")

    def _cause(self) -> str:
        code = self._process.wait()
        lines: list[str] = []
        if self._stderr is not None:
            self._stderr.seek(0)
            lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        if code == -getattr(signal, "SIGKILL", 9):
            return "its process was killed, as by a system out of memory; measure fewer backends"
        if code < 0:
            return f"its process ended with signal {-code}"
        return lines[-1] if lines else f"its process ended with exit code {code}"


def measure_backends(
    case: Case,
    workers: list[BackendWorker],
    chosen: Mapping[str, list[Subject]],
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Timing]:
    """Measure the subjects of one case, with all backends in turn in every round.

    Args:
        case: Case to measure.
        workers: Workers of the backends.
        chosen: Subjects to compare, by backend.
        rounds: Number of samples per subject.
        report: Function that receives a description of the current activity.

    Returns:
        The timings, grouped by backend, in the order of `chosen`.
    """
    timings = {worker.backend: worker.prepare(case, chosen[worker.backend]) for worker in workers}
    for number in range(rounds):
        for worker in workers:
            on = f" on {worker.backend}" if len(workers) > 1 else ""
            report(f"{case.name}: round {number + 1} of {rounds}{on}")
            for timing, sample in zip(timings[worker.backend], worker.round(), strict=True):
                if sample is not None:
                    timing.samples.append(sample)
    return [timing for found in timings.values() for timing in found]


def peak_memory(case: Case, subject: Subject, backend: str) -> int | None:
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
        [sys.executable, "-m", "rumcli.benchmark.workers"],
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

    case, subject = parsing.parse_json(sys.stdin.read())
    prepare(Case(**case), Subject(**subject)).run(_STEPS)
    sys.stdout.write(f"{_largest_size()}\n")


def _largest_size() -> int:
    if sys.platform == "win32":
        raise AssertionError("not measured on Windows; see `peak_memory`")
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
