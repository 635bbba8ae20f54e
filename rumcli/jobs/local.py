"""Executor on this machine, with a process for each run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from rumcli.errors import RunError
from rumcli.jobs import worker
from rumcli.jobs.engine import Engine
from rumcli.jobs.job_spec import FAILED, SAVE, UNFINISHED, Job, RunProgress, RunResult
from rumcli.jobs.worker import Start
from rumcli.training.run_dir import RunDir

POLL_SECONDS = 0.25  # seconds between two checks of the clock and of signals


Launch = Callable[[RunDir, Mapping[str, str]], "Child"]


class Gpus:
    """Assignment of this machine's GPUs to runs.

    Args:
        names: Values for `CUDA_VISIBLE_DEVICES`.
        each: Number of GPUs of each run, below 1 for a fraction; None gives all runs access to all
            GPUs.
    """

    def __init__(self, names: Sequence[str], each: float | None) -> None:
        per_gpu = int(1 / each + 1e-9) if each and each < 1 else 1
        self._free = list(names) * per_gpu  # use all GPUs before runs share one
        self._each = each

    def take(self) -> list[str]:
        """Allocate and return the GPUs of the next run."""
        count = max(1, int(self._each)) if self._each else 0
        taken, self._free = self._free[:count], self._free[count:]
        return taken

    def give_back(self, names: Sequence[str]) -> None:
        """Release the GPUs of a run that has ended."""
        self._free += names

    def environment(self, names: Sequence[str]) -> dict[str, str]:
        """Return the environment variables that select these GPUs."""
        return worker.gpu_environment(self._each, names if self._each else None)


def visible_gpus() -> list[str]:
    """Return the GPUs available to this process, as values for `CUDA_VISIBLE_DEVICES`."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    count = sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return [str(number) for number in range(count)]


@dataclass
class _Slot:
    process: Child
    folder: RunDir
    gpus: list[str]
    deaths: int = 0


class LocalExecutor:
    """Executor that runs a set in processes on this machine.

    Args:
        launch: Starts the process of a run on the given GPUs.
        slots: Number of concurrent runs.
        gpus: GPU assignment.
        retries: Maximum number of restarts of a run after its process died.
    """

    def __init__(self, launch: Launch, slots: int, gpus: Gpus, retries: int) -> None:
        self._launch = launch
        self._slots = slots
        self._gpus = gpus
        self._retries = retries
        self._running: dict[Job, _Slot] = {}

    def run(self, engine: Engine) -> None:
        """Execute the runs that the engine starts, until there are no more."""
        try:
            while True:
                while len(self._running) < self._slots and (next_run := engine.next()):
                    self._begin(engine, *next_run)
                if not self._running:
                    return
                wait([slot.process.connection for slot in self._running.values()], POLL_SECONDS)
                for job in list(self._running):
                    self._receive(engine, job)
                for job, method in engine.stops().items():
                    self._running[job].process.stop(method)
        except KeyboardInterrupt:  # the second Ctrl-C kills all processes
            for slot in self._running.values():
                slot.process.kill()
            raise
        except Exception:
            for slot in self._running.values():
                slot.process.stop(SAVE)
            for slot in self._running.values():
                slot.process.join()
            raise

    def _begin(self, engine: Engine, job: Job, run_dir: RunDir) -> None:
        gpus = self._gpus.take()
        self._running[job] = _Slot(self._start(run_dir, gpus), run_dir, gpus)
        engine.began(job)

    def _start(self, run_dir: RunDir, gpus: list[str]) -> Child:
        try:
            return self._launch(run_dir, self._gpus.environment(gpus))
        except OSError as error:
            raise RunError(
                f"can't start the process of {run_dir.path}: {error.strerror or error}"
            ) from error

    def _receive(self, engine: Engine, job: Job) -> None:
        slot = self._running[job]
        for report in slot.process.reports():
            if isinstance(report, RunProgress):
                engine.progressed(job, report, "")
                continue
            slot.process.join()
            if isinstance(report, str):
                if slot.deaths < self._retries and not engine.is_closed:
                    slot.deaths += 1
                    engine.retried(job, report)
                    slot.process = self._start(slot.folder, slot.gpus)
                    engine.began(job)
                    return
                report = RunResult(FAILED, f"{report}; its checkpoints are intact")
            del self._running[job]
            self._gpus.give_back(slot.gpus)
            engine.ended(job, report)
            return


class Child:
    """Handle of a run's process in the parent process.

    Args:
        folder: Directory of the run.
        variables: Environment variables of the run.
        start: Imports the dependencies of the run.
        cores: Number of cores of the run.
        debug: Whether to show the output of the process.
    """

    def __init__(
        self,
        run_dir: RunDir,
        variables: Mapping[str, str],
        start: Start,
        cores: int,
        debug: bool,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child_connection = context.Pipe()
        arguments = (child_connection, str(run_dir.path), start, cores, dict(variables), debug)
        self._process = context.Process(target=_main, args=arguments, daemon=True)
        with _without_terminal_signals(), _without_main_module():
            self._process.start()
        child_connection.close()
        self._requested: str | None = None
        self._trains = False

    def stop(self, how: str) -> None:
        """Request that the process saves and exits.

        A run that has not started training has nothing to save and is killed.
        """
        if self._requested != how:
            self._requested = how
            if not self._trains:
                self.kill()
            with contextlib.suppress(OSError):  # the process may have exited
                self.connection.send(how)

    def reports(self) -> list[RunProgress | RunResult | str]:
        """Return the reports since the last call; a string is the reason of its death."""
        reports: list[Any] = []
        try:
            while self.connection.poll():
                reports.append(self.connection.recv())
                self._trains = True
        except (EOFError, OSError):
            if not any(isinstance(report, RunResult) for report in reports):
                reports.append(self._death())
        return reports

    def join(self) -> None:
        """Wait until the process has exited."""
        self._process.join()
        self.connection.close()

    def kill(self) -> None:
        """Kill the process; checkpoints are kept."""
        self._process.kill()

    def _death(self) -> RunResult | str:
        self._process.join(10)
        code = self._process.exitcode
        if self._requested is not None and code is not None and code < 0:
            return RunResult(UNFINISHED)
        cause = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return f"its process ended {cause}"


@contextlib.contextmanager
def _without_terminal_signals() -> Iterator[None]:
    """Start processes that ignore Ctrl-C and a closed terminal; the parent process stops them."""
    if sys.platform == "win32":  # no signal masks; see `_main`
        yield
        return
    # Start it first: inside the block it would unblock the signals.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Start processes that do not import the program again.

    Otherwise a script that calls `rumcli.sweep` outside of `if __name__ == "__main__"` would run
    once more in each process.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _main(
    connection: Connection,
    run_dir: str,
    start: Start,
    cores: int,
    variables: Mapping[str, str],
    debug: bool,
) -> None:
    """Entry point of a run's process."""
    terminated: list[int] = []
    if sys.platform == "win32":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))
    worker.prepare(cores, variables)
    _keep_stdout_clean(debug)

    def control() -> str:
        """Return the last request; a process whose parent has exited saves and stops."""
        requested = SAVE if terminated else ""
        try:
            while connection.poll():
                requested = connection.recv()
        except (EOFError, OSError):
            return SAVE
        return requested

    def report(progress: RunProgress) -> None:
        with contextlib.suppress(OSError):  # the parent may have exited
            connection.send(progress)

    result = worker.train(RunDir(Path(run_dir)), start, control, report, debug)
    with contextlib.suppress(OSError):
        connection.send(result)
    # Everything is saved, and the teardown of TensorFlow takes more than a second.
    os._exit(0)


def _keep_stdout_clean(debug: bool) -> None:
    """Discard the output of libraries, or redirect it to stderr with --debug."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(2 if debug else nowhere, 1)
        if not debug:
            os.dup2(nowhere, 2)
        os.close(nowhere)
