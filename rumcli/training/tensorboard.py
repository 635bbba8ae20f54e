"""TensorBoard logs in the run directory, if the package `tensorboard` is installed.

They are optional: an error is reported once, disables the logs, and never stops the run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rumcli import atomic_io
from rumcli.training.listeners import CompositeListener, Listener, RunInfo

FOLDER = "tensorboard"
_EVERY = 10  # training steps per logged point


def beside(listener: Listener, run: Path) -> Listener:
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
    return CompositeListener(listener, Curves(lambda: EventFile(run / FOLDER), listener.warned))


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
