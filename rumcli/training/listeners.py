"""Events of a training run, and the listeners that receive them; TensorBoard logs are one.

TensorBoard logs require the package `tensorboard`. They are optional: an error is reported once,
disables the logs, and never stops the run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rumcli import atomic_io
from rumcli.tasks.baseline import Baseline

TENSORBOARD_FOLDER = "tensorboard"
_EVERY = 10  # training steps per logged point


@dataclass(frozen=True)
class RunInfo:
    """Description of a run at its start.

    Attributes:
        task: Name of the task.
        cell: Name of the cell.
        parameters: Number of trainable weights.
        first_step: Number of steps done before; 0 unless resumed.
        steps: Total number of steps.
        metric: Name of the task's metric.
        monitor: Name of the metric that `baseline` refers to: `"loss"` or `metric`.
        baseline: Baseline of `monitor`.
        steps_per_epoch: Steps per epoch; None for a task without epochs.
        folder: Path of the run directory.
    """

    task: str
    cell: str
    parameters: int
    first_step: int
    steps: int
    metric: str
    monitor: str
    baseline: Baseline
    steps_per_epoch: int | None
    folder: str


class Listener:
    """Base class of listeners, whose methods are called in order and do nothing by default."""

    def started(self, plan: RunInfo) -> None:
        """Handle the start of the run."""

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Handle the end of a training step with a finite loss and gradient.

        Args:
            step: Number of steps done.
            logs: Loss and metrics of the step, by name.
        """

    def evaluated(self, record: dict[str, Any]) -> None:
        """Handle an evaluation, which is one record of `metrics.jsonl`."""

    def warned(self, message: str) -> None:
        """Handle a warning."""

    def testing(self) -> None:
        """Handle the end of training and the start of the test evaluation."""

    def ended(self) -> None:
        """Handle the end of the run, whether or not it succeeded."""


class CompositeListener(Listener):
    """Listener that forwards every event to several listeners.

    Args:
        *listeners: Listeners, in the order of the calls.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def started(self, plan: RunInfo) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.started(plan)

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.stepped(step, logs)

    def evaluated(self, record: dict[str, Any]) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.evaluated(record)

    def warned(self, message: str) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.warned(message)

    def testing(self) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.testing()

    def ended(self) -> None:
        """Forward the event."""
        for listener in self._listeners:
            listener.ended()


def with_tensorboard(listener: Listener, run: Path) -> Listener:
    """Add TensorBoard logging to a listener if the package is installed.

    Args:
        listener: Listener of the run.
        run: Path of the run directory.

    Returns:
        A listener that also writes the logs, or `listener` itself.
    """
    try:
        import tensorboard.summary.writer.event_file_writer  # noqa: F401
    except Exception:  # not installed, or incompatible with other packages
        return listener
    return CompositeListener(
        listener, Curves(lambda: EventFile(run / TENSORBOARD_FOLDER), listener.warned)
    )


class EventFile:
    """TensorBoard event file.

    Args:
        folder: Log directory; created if missing.

    Raises:
        OSError: If the directory is a link or cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if folder.is_symlink():
            raise OSError(f"{folder} is a link")
        atomic_io.make_directory(folder, exist_ok=True)
        self._place = contextlib.ExitStack()
        try:
            folder = self._place.enter_context(atomic_io.reachable(folder))
            self._writer: Any = EventFileWriter(str(folder))
        except BaseException:
            self._place.close()
            raise

    def restart(self, step: int) -> None:
        """Make TensorBoard drop the events of this and later steps in earlier files."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        log = SessionLog(status=SessionLog.START)
        self._writer.add_event(Event(step=step, wall_time=time.time(), session_log=log))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the scalars of one step, by tag."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        summary = Summary(value=points)
        self._writer.add_event(Event(step=step, wall_time=time.time(), summary=summary))

    def flush(self) -> None:
        """Write buffered events to the disk."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
        self._place.close()


class Curves(Listener):
    """Listener that logs every tenth training step and every evaluation.

    Args:
        make: Factory of the event file.
        warn: Callback for the message of an error, after which nothing more is written.
    """

    def __init__(self, make: Callable[[], EventFile], warn: Callable[[str], None]) -> None:
        self._make = make
        self._warn = warn
        self._file: EventFile | None = None

    def started(self, plan: RunInfo) -> None:
        """Open the file, and drop the earlier events of steps that a resumed run repeats."""

        def begin() -> None:
            self._file = self._make()
            self._file.restart(plan.first_step + 1)

        self._try(begin)

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Log every tenth step."""
        if self._file is not None and step % _EVERY == 0:
            self._write(step, {f"training/{name}": value for name, value in logs.items()})

    def evaluated(self, record: dict[str, Any]) -> None:
        """Log an evaluation."""
        prefix = "val_"
        self._write(
            record["step"],
            {
                f"validation/{name.removeprefix(prefix)}": value
                for name, value in record.items()
                if name.startswith(prefix)
            },
        )
        if self._file is not None:
            self._try(self._file.flush)

    def ended(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._try(self._file.close)
            self._file = None

    def _write(self, step: int, values: dict[str, float]) -> None:
        file = self._file
        if file is not None:
            self._try(lambda: file.add(step, values))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._file = None
            self._warn(f"no more curves for TensorBoard: {error}; the run continues")
