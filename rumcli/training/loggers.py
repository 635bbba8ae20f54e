"""Experiment loggers of a run, selected by `train.loggers`. `log_writers` has one for each library.

Each logger works in its own thread, so that a slow or unreachable server does not delay training.
An error is reported once and disables the logger; it never stops the run.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from rumcli import errors
from rumcli.config import LoggerName, RunConfig, loading
from rumcli.errors import ConfigError
from rumcli.training import log_writers
from rumcli.training.listeners import CompositeListener, Listener, RunInfo
from rumcli.training.log_writers import LoggedRun, Point, Writer
from rumcli.training.run_dir import CONFIG, LOGGERS, RunDir

# Package and extra of each logger that needs one.
PACKAGES: dict[LoggerName, str] = {
    "tensorboard": "tensorboard",
    "mlflow": "mlflow",
    "wandb": "wandb",
    "trackio": "trackio",
}
_EVERY = 10  # training steps per logged point
_CLOSE_TIMEOUT = 60.0  # seconds at the end of a run for points that are not written yet
_THREAD = "rum-logger-"
_ID = re.compile("[0-9a-f]{12}")
# Files that describe a set of runs.
_OF_A_SET = (CONFIG, "sweep.yaml", "table.yaml")


def require(names: Sequence[LoggerName]) -> None:
    """Check that the packages of loggers are installed, without importing them.

    Args:
        names: Names of the loggers.

    Raises:
        ConfigError: If a package is missing.
    """
    for name in names:
        package = PACKAGES.get(name)
        if package is not None and importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"logger '{name}' needs the package {package}, which is not installed: "
                f"pip install 'rumcli[{name}]'"
            )


@contextlib.contextmanager
def attached(listener: Listener, run_dir: RunDir, run: RunConfig | None) -> Iterator[Listener]:
    """Add the loggers of a run to its listener while the block trains the run.

    At the end of the block, the listener's `ended` is called.

    Args:
        listener: Listener of the run, which receives warnings about the loggers.
        run_dir: Run directory.
        run: Configuration of the run; None for a process that does not log.

    Yields:
        A listener that also logs, or `listener` itself if there is nothing to log to.
    """
    with contextlib.ExitStack() as stack:
        if run is not None and run.train.loggers:
            # Before the display starts and until it has stopped: it redirects the output, too.
            stack.enter_context(_quiet_threads())
            listener = CompositeListener(listener, Loggers(run_dir, run, listener.warned))
        stack.callback(listener.ended)
        yield listener


class Loggers(Listener):
    """Listener that logs every tenth training step, every evaluation, and the test.

    Args:
        run_dir: Run directory.
        run: Configuration of the run.
        warn: Callback for the message about a logger that failed, in the thread of the run.
    """

    def __init__(self, run_dir: RunDir, run: RunConfig, warn: Callable[[str], None]) -> None:
        self._run_dir = run_dir
        self._run = run
        self._warn = warn
        self._threads: list[_LoggerThread] = []
        self._finished = False

    def started(self, plan: RunInfo) -> None:
        """Start the loggers."""
        try:
            run = _describe(self._run_dir, self._run, plan)
        except OSError as error:
            self._warn(f"no logger was started: {error.strerror or error}; the run continues")
            return
        for name in self._run.train.loggers:
            self._threads.append(_LoggerThread(name, log_writers.MAKERS[name], run))

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Log every tenth step."""
        if step % _EVERY == 0:
            self._log(step, {f"training/{name}": value for name, value in logs.items()})

    def evaluated(self, record: dict[str, Any]) -> None:
        """Log an evaluation."""
        prefix = "val_"
        values = {
            f"validation/{name.removeprefix(prefix)}": value
            for name, value in record.items()
            if name.startswith(prefix)
        }
        self._log(record["step"], values)

    def finished(self, summary: dict[str, Any]) -> None:
        """Log the test."""
        self._finished = True
        values = {
            f"test/{name}": value
            for name, value in summary.items()
            if isinstance(value, float) and name != "seconds"
        }
        values["test/baseline"] = float(summary["baseline"]["value"])
        self._log(summary["steps"], values)

    def ended(self) -> None:
        """Close the loggers, and wait a limited time for points that are not written yet."""
        for thread in self._threads:
            thread.close(self._finished)
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        for thread in self._threads:
            thread.join(deadline)
        self._report()

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        for thread in self._threads:
            thread.log((step, values))
        self._report()

    def _report(self) -> None:
        for thread in self._threads:
            if (failure := thread.take_failure()) is not None:
                problem = f"logger {thread.name}: {failure}"
                self._warn(f"{problem}; the logger is disabled, and the run continues")


class _LoggerThread:
    """Thread that passes points to a writer.

    Args:
        name: Name of the logger.
        make: Factory of the writer.
        run: Run to log.
    """

    def __init__(self, name: str, make: Callable[[LoggedRun], Writer], run: LoggedRun) -> None:
        self.name = name
        self._make = make
        self._run = run
        self._points: queue.SimpleQueue[Point | None] = queue.SimpleQueue()  # None: the end
        self._finished = False
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        # A daemon, so that a server that does not answer cannot keep the process alive.
        self._thread = threading.Thread(target=self._work, name=f"{_THREAD}{name}", daemon=True)
        self._thread.start()

    def log(self, point: Point) -> None:
        """Queue a point."""
        if self._thread.is_alive():
            self._points.put(point)

    def close(self, finished: bool) -> None:
        """Queue the end of the log."""
        self._finished = finished
        self._points.put(None)

    def join(self, deadline: float) -> None:
        """Wait until the log is closed.

        Args:
            deadline: Monotonic time at which to give up.
        """
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._failures.put(f"some points were not written within {_CLOSE_TIMEOUT:.0f} seconds")

    def take_failure(self) -> str | None:
        """Return the message of the error that ended the thread, once."""
        return None if self._failures.empty() else self._failures.get()

    def _work(self) -> None:
        try:
            writer = self._make(self._run)
            is_over = False
            while not is_over:
                points = [self._points.get()]
                while not self._points.empty():
                    points.append(self._points.get())
                is_over = points[-1] is None
                if found := [point for point in points if point is not None]:
                    writer.log(found)
            writer.close(self._finished)
        except BaseException as error:  # a library may raise SystemExit
            self._failures.put(errors.one_line(error))


def _describe(run_dir: RunDir, run: RunConfig, plan: RunInfo) -> LoggedRun:
    """Return the description of a run, with a new ID if it has none yet.

    Raises:
        OSError: If the ID can't be written.
    """
    place = run_dir.path.resolve()
    is_in_set = any((place.parent / name).exists() for name in _OF_A_SET)
    found = run_dir.read_json(LOGGERS)
    identity = found.get("id") if isinstance(found, dict) else None
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        identity = secrets.token_hex(6)
        run_dir.write_json(LOGGERS, {"id": identity})
    name = f"{place.parent.name}/{place.name}" if is_in_set else place.name
    settings = {**loading.flattened(run), "parameters": plan.parameters}
    return LoggedRun(run_dir.path, name, identity, settings, plan.first_step)


@contextlib.contextmanager
def _quiet_threads() -> Iterator[None]:
    """Discard the output of the logger threads: stdout is for the result, stderr for the progress.

    Some libraries print messages and have no option to disable this.
    """
    stdout, stderr = _Muted(sys.stdout), _Muted(sys.stderr)
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        yield


class _Muted:
    """Stream that discards the text of logger threads and passes on all other text."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, unless it comes from a logger thread."""
        # A process without a terminal may have no streams.
        if self._stream is None or threading.current_thread().name.startswith(_THREAD):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
