"""Worker processes for benchmarks on several Keras backends.

A process supports a single backend, so each backend has a worker process for all rounds. Models are
compiled once. Every round measures each worker in turn, so that drifts in the machine's speed favor
no backend; idle workers use no CPU time.

`rumcli.cli._bench_worker` implements the worker. This module does not import Keras.
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
from typing import Any

from rumcli import json_parser
from rumcli.benchmark.cases import Case, Subject
from rumcli.benchmark.timing import Timing
from rumcli.errors import ConfigError, RunError

# -P: a file in the working directory, such as keras.py, must not shadow a package.
_COMMAND = [sys.executable, "-P", "-m", "rumcli.cli._bench_worker"]
# Processes that share a GPU must not preallocate its memory.
_SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


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
        """Return the result of `host_info.describe` in the process."""
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
            reply = json_parser.parse(line)
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
            return "its process was killed, as by a system out of memory; measure fewer engines"
        if code < 0:
            return f"its process ended with signal {-code}"
        return lines[-1] if lines else f"its process ended with exit code {code}"


def measure(
    case: Case,
    engines: list[BackendWorker],
    chosen: Mapping[str, list[Subject]],
    rounds: int,
    report: Callable[[str], None] = lambda text: None,
) -> list[Timing]:
    """Measure the subjects of one case, with all backends in turn in every round.

    Args:
        case: Case to measure.
        engines: Workers of the backends.
        chosen: Subjects to compare, by backend.
        rounds: Number of samples per subject.
        report: Function that receives a description of the current activity.

    Returns:
        The timings, grouped by backend, in the order of `chosen`.
    """
    timings = {engine.backend: engine.prepare(case, chosen[engine.backend]) for engine in engines}
    for number in range(rounds):
        for engine in engines:
            on = f" on {engine.backend}" if len(engines) > 1 else ""
            report(f"{case.name}: round {number + 1} of {rounds}{on}")
            for timing, sample in zip(timings[engine.backend], engine.round(), strict=True):
                if sample is not None:
                    timing.samples.append(sample)
    return [timing for found in timings.values() for timing in found]
