"""Writers of the experiment loggers, each through the API of its library.

Servers, projects and credentials are selected by the environment variables of the libraries, such
as `MLFLOW_TRACKING_URI`, `WANDB_MODE` and `TRACKIO_SERVER_URL`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rumcli import atomic_io
from rumcli.config import LoggerName, yaml_io

PROJECT = "rum"  # unless the variable of a library names another one
_MAX_METRICS, _MAX_PARAMS = 1000, 100  # in a request of MLflow
_MAX_PARAM_LENGTH = 6000  # characters


Point = tuple[int, Mapping[str, float]]  # step, and values by name


@dataclass(frozen=True)
class LoggedRun:
    """Description of a run for its loggers.

    Attributes:
        directory: Path of the run directory.
        name: Name of the run: that of its directory, after that of the set it belongs to.
        id: Random ID, equal for all parts of a run that is resumed.
        settings: Configuration on one level, as in `{"task.name": "copying"}`, and the number of
            `parameters` of the model.
        first_step: Number of steps done before; 0 unless resumed.
    """

    directory: Path
    name: str
    id: str
    settings: dict[str, Any]
    first_step: int


class Writer(Protocol):
    """Log of one run in one library, used by a single thread."""

    def log(self, points: Sequence[Point]) -> None:
        """Write points, in the order of their steps."""

    def close(self, finished: bool) -> None:
        """Close the log.

        Args:
            finished: Whether the run is finished; False if it stopped or failed.
        """


class TensorBoardWriter:
    """Event file in `RUN/tensorboard`.

    Args:
        run: Run to log.

    Raises:
        OSError: If the directory is a link or cannot be created.
    """

    def __init__(self, run: LoggedRun) -> None:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        directory = run.directory / "tensorboard"
        if directory.is_symlink():
            raise OSError(f"{directory} is a link")
        atomic_io.make_directory(directory, exist_ok=True)
        self._stack = contextlib.ExitStack()
        try:
            directory = self._stack.enter_context(atomic_io.reachable(directory))
            self._writer: Any = EventFileWriter(str(directory))
        except BaseException:
            self._stack.close()
            raise
        self._begin(run)

    def _begin(self, run: LoggedRun) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog

        # Makes TensorBoard drop the events of this and later steps in earlier files.
        start = SessionLog(status=SessionLog.START)
        self._add(run.first_step + 1, session_log=start)
        self._add(run.first_step, summary=_text("config", yaml_io.dump(run.settings)))

    def log(self, points: Sequence[Point]) -> None:
        """Write scalars."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        for step, values in points:
            scalars = [Summary.Value(tag=name, simple_value=x) for name, x in values.items()]
            self._add(step, summary=Summary(value=scalars))
        self._writer.flush()

    def close(self, finished: bool) -> None:
        """Close the file."""
        self._writer.close()
        self._stack.close()

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(step=step, wall_time=time.time(), **content))


def _text(tag: str, text: str) -> Any:
    """Return a summary for the text tab of TensorBoard, shown as a code block."""
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING

    code = "".join(f"    {line}\n" for line in text.splitlines())
    plugin = SummaryMetadata.PluginData(plugin_name="text")
    tensor = TensorProto(dtype=DT_STRING, string_val=[code.encode()])
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])


class CsvWriter:
    """Table `RUN/metrics.csv` with a row for each point and a column for each name.

    A new name adds a column, for which the file is written anew.

    Args:
        run: Run to log. Rows of the steps that a resumed run repeats are removed.

    Raises:
        OSError: If the file cannot be written.
    """

    def __init__(self, run: LoggedRun) -> None:
        self._path = run.directory / "metrics.csv"
        has_rows = run.first_step > 0 and self._path.is_file()
        self._columns, rows = self._read() if has_rows else (["step"], [])
        self._write([row for row in rows if _is_step_until(row.get("step"), run.first_step)])

    def log(self, points: Sequence[Point]) -> None:
        """Append rows."""
        names = dict.fromkeys(name for _, values in points for name in values)
        if new := [name for name in names if name not in self._columns]:
            _, rows = self._read()
            self._columns += new
            self._write(rows)
        rows = [{"step": step, **values} for step, values in points]
        atomic_io.append(self._path, self._lines(rows))

    def close(self, finished: bool) -> None:
        """Do nothing: every row is written at once."""

    def _read(self) -> tuple[list[str], list[dict[str, Any]]]:
        text = self._path.read_bytes().decode("utf-8", "replace")
        whole = text[: text.rfind("\n") + 1]  # the last line of a killed run may be incomplete
        reader = csv.DictReader(io.StringIO(whole, newline=""), restval="")
        return list(reader.fieldnames or ["step"]), list(reader)

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        with atomic_io.replacing(self._path) as file:
            file.write(self._lines([dict(zip(self._columns, self._columns, strict=True)), *rows]))

    def _lines(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, extrasaction="ignore").writerows(rows)
        return text.getvalue().encode()


def _is_step_until(text: str | None, last: int) -> bool:
    return text is not None and text.isdecimal() and int(text) <= last


class MlflowWriter:
    """Run of MLflow. It does not use MLflow's active run, which belongs to the caller's code.

    Args:
        run: Run to log.
    """

    def __init__(self, run: LoggedRun) -> None:
        from mlflow import MlflowClient

        self._client: Any = MlflowClient()
        experiment = os.environ.get("MLFLOW_EXPERIMENT_ID") or self._experiment(
            os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        )
        found = self._client.search_runs([experiment], f"tags.`rum.id` = '{run.id}'", max_results=1)
        if found:
            self._id = found[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        created = self._client.create_run(experiment, run_name=run.name, tags={"rum.id": run.id})
        self._id = created.info.run_id
        self._log_params(run)

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        if found := self._client.get_experiment_by_name(name):
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException:  # another run of a set has just created it
            if found := self._client.get_experiment_by_name(name):
                return str(found.experiment_id)
            raise

    def _log_params(self, run: LoggedRun) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)[:_MAX_PARAM_LENGTH]) for key, value in run.settings.items()]
        for start in range(0, len(params), _MAX_PARAMS):
            self._client.log_batch(self._id, params=params[start : start + _MAX_PARAMS])

    def log(self, points: Sequence[Point]) -> None:
        """Log metrics."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [
            Metric(name, value, now, step)
            for step, values in points
            for name, value in values.items()
        ]
        for start in range(0, len(metrics), _MAX_METRICS):
            self._client.log_batch(self._id, metrics=metrics[start : start + _MAX_METRICS])

    def close(self, finished: bool) -> None:
        """Set the status of the run."""
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")


class WandbWriter:
    """Run of Weights & Biases, with its files in `RUN/wandb`.

    Args:
        run: Run to log.
    """

    def __init__(self, run: LoggedRun) -> None:
        import wandb

        # Silent, so that it raises an error instead of a prompt for a missing API key.
        wandb.setup(wandb.Settings(silent=True))
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            name=run.name,
            id=run.id,
            resume="allow",
            dir=os.environ.get("WANDB_DIR") or str(run.directory.absolute()),
            config=run.settings,
            reinit="create_new",  # a run of the caller's code stays open
            settings=wandb.Settings(silent=True, console="off", disable_git=True),
        )

    def log(self, points: Sequence[Point]) -> None:
        """Log metrics. The library ignores steps that it already has."""
        for step, values in points:
            self._run.log(dict(values), step=step)

    def close(self, finished: bool) -> None:
        """Finish the run."""
        self._run.finish(exit_code=0 if finished else 1)


class TrackioWriter:
    """Run of Trackio.

    Args:
        run: Run to log.
    """

    def __init__(self, run: LoggedRun) -> None:
        import trackio

        self._run: Any = trackio.init(
            project=PROJECT,
            name=f"{run.name}-{run.id}",  # Trackio resumes runs by name
            config=run.settings,
            resume="allow",
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )

    def log(self, points: Sequence[Point]) -> None:
        """Log metrics."""
        for step, values in points:
            self._run.log({k: v for k, v in values.items() if math.isfinite(v)}, step=step)

    def close(self, finished: bool) -> None:
        """Finish the run."""
        self._run.finish()


MAKERS: dict[LoggerName, Callable[[LoggedRun], Writer]] = {
    "tensorboard": TensorBoardWriter,
    "csv": CsvWriter,
    "mlflow": MlflowWriter,
    "wandb": WandbWriter,
    "trackio": TrackioWriter,
}
