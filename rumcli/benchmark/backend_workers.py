"""Keras's backends in processes of their own, which measure round by round in turn.

A process can have one backend only, so each has one that lives until all rounds are done: models
are compiled once, and a round visits every process, so that a machine whose speed drifts favors
none of them. While one measures, the others wait for their next request and take no processor time.
No Keras here; `rumcli.cli._bench_worker` is the other end.
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

# -P: a file of the user's, such as a keras.py, is not to be mistaken for a package.
_COMMAND = [sys.executable, "-P", "-m", "rumcli.cli._bench_worker"]
# Several processes on one GPU: none may reserve most of its memory beforehand.
_SHARED_GPU = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


class BackendWorker:
    """A process that measures on one backend, and ends when it is closed.

    Args:
        backend: Name of Keras's backend.
        is_alone: Whether no other engine is measured beside it.
        report: Receives a description of the current activity.
        debug: Whether to show what the process prints to stderr.
    """

    def __init__(
        self, backend: str, is_alone: bool, report: Callable[[str], None], debug: bool
    ) -> None:
        self.backend = backend
        self._report = report
        self._on = "" if is_alone else f" on {backend}"
        # Not a pipe, which would be full when nobody reads it.
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
        """Return processor, number of cores, accelerators, backend and versions."""
        found: dict[str, Any] = self._request("machine")
        return found

    def prepare(self, case: Case, chosen: list[Subject]) -> list[Timing]:
        """Build the subjects of a size, and free those of the size before.

        Returns:
            A timing of each, without samples.
        """
        subjects = [dataclasses.asdict(subject) for subject in chosen]
        found = self._request("prepare", case=case.model_dump(), subjects=subjects)
        return [
            Timing(subject, self.backend, **one) for subject, one in zip(chosen, found, strict=True)
        ]

    def round(self) -> list[float | None]:
        """Return a sample of each subject, in seconds; None for a subject out of time."""
        found: list[float | None] = self._request("round")
        return found

    def pace(self, task: str, cell: str, rounds: int) -> dict[str, Any]:
        """Measure whole runs beside bare steps, on TensorFlow.

        Returns:
            The attributes of a `Pace`.
        """
        found: dict[str, Any] = self._request("pace", task=task, cell=cell, rounds=rounds)
        return found

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent is of no use any more
                    stream.close()

    def _request(self, name: str, **arguments: Any) -> Any:
        """Send a request and wait for its reply.

        Raises:
            ConfigError: If the backend does not start.
            RunError: If the measurement fails, or the process ends.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        with contextlib.suppress(OSError):  # a process that has ended sends no reply either
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
    """Measure subjects at one size, all engines in turn in every round.

    Args:
        case: The size.
        engines: Where to measure.
        chosen: The subjects that are compared, by backend.
        rounds: Samples of each.
        report: Receives a description of the current activity.

    Returns:
        The timings, engine by engine, in the order of `chosen`.
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
