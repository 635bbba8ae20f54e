"""Run directory: the record of a run, readable without this code.

Files: `config.yaml`, `environment.json`, `plan.json`, `metrics.jsonl`, `checkpoints/`,
`progress.json`, and `summary.json` once the run is finished.
`training.dataset_binding` adds the metadata of the dataset. Processes without a directory of their
own use `NullRunDir`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rumcli import atomic_io, config, errors, output_dirs
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, Metavar, RunError
from rumcli.training import lock, run_files
from rumcli.training.checkpoint import Checkpoint, CheckpointDir
from rumcli.training.run_files import RecordFile

RUNS = Path("runs")
METRICS = "metrics.jsonl"
NOT_FINITE = "not_finite.jsonl"  # steps with a non-finite loss or gradient
CONFIG = "config.yaml"
PROGRESS = "progress.json"  # exists once a checkpoint has been saved
LOGGERS = "loggers.json"  # ID of the run in its experiment loggers


class RunDir:
    """Files of one run.

    Args:
        path: Run directory, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = CheckpointDir(path / "checkpoints")
        self._record_files = {
            METRICS: RecordFile(path / METRICS, run_files.is_record),
            NOT_FINITE: RecordFile(path / NOT_FINITE, run_files.has_step),
        }

    @classmethod
    def create(cls, path: Path | None, run: RunConfig) -> RunDir:
        """Create the directory of a new run without keeping it locked; see `claim`.

        Args:
            path: Directory to create, as in `claim`.
            run: Configuration of the run.

        Returns:
            The run directory.

        Raises:
            ConfigError: If the directory is in use or cannot be written.
            RunError: If another process holds the lock.
        """
        with cls.claim(path, run) as run_dir:
            return run_dir

    @classmethod
    @contextlib.contextmanager
    def claim(cls, path: Path | None, run: RunConfig) -> Iterator[RunDir]:
        """Create the directory of a new run and hold its lock while the block runs.

        If the block raises a ConfigError before it has written anything, the directory is removed.

        Args:
            path: Directory to create. It may exist if it is empty, or left by an aborted
                creation. None: `runs/TASK-CELL-1`, or the next free number.
            run: Configuration of the run, written to `config.yaml`.

        Yields:
            The run directory.

        Raises:
            ConfigError: If the directory is in use or cannot be written.
            RunError: If another process holds the lock.
        """
        stem = f"{run.task.label}-{run.cell.name}"
        with contextlib.ExitStack() as stack:
            try:
                directory = stack.enter_context(lock.claimed(path, RUNS, stem, [CONFIG]))
                run_dir = cls(directory)
                run_dir.write_config(run)
            except OSError as error:
                raise ConfigError(atomic_io.cannot_write(path or RUNS, error)) from error
            yield run_dir

    @staticmethod
    def is_not_started(path: Path) -> bool:
        """Return whether a directory holds only the leftovers of an aborted creation."""
        try:
            return any(path.iterdir()) and output_dirs.is_not_started(path, [CONFIG])
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path, task: str | None = None) -> RunDir:
        """Open the directory of an earlier run.

        Args:
            path: Run directory.
            task: Required task name; None: any.

        Returns:
            The run directory.

        Raises:
            ConfigError: If it is missing, not a run directory, or from another task.
        """
        if not output_dirs.exists(path):
            raise ConfigError(f"there is no run directory {path}")
        if not path.is_dir():
            raise ConfigError(f"{path} is not a directory; expected the directory of a run")
        if cls.is_not_started(path):
            raise ConfigError(
                f"{path} has no config.yaml: the process that created it ended before the run "
                f"began; to start the run there: {errors.call('train', Metavar('TASK'), out=path)}"
            )
        if not (path / CONFIG).exists():
            problem = "is empty" if not any(path.iterdir()) else "has no config.yaml"
            raise ConfigError(f"{path} {problem}; expected the directory of a run")
        run_dir = cls(path)
        if run_dir.checkpoints.path.is_symlink():
            raise ConfigError(
                f"{run_dir.checkpoints.path} is a link; expected a directory in the run directory"
            )
        if task is not None and run_dir.config.task.name != task:
            raise ConfigError(
                f"{path} is a run of '{run_dir.config.task.label}'; expected a run of '{task}'"
            )
        return run_dir

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn a file system error during a run into one line for the user.

        Raises:
            RunError: If the block raised an OSError.
        """
        try:
            yield
        except OSError as error:
            raise RunError(self._cannot_write(error)) from error

    def _cannot_write(self, error: OSError) -> str:
        problem = f"can't write to {self.path}: {error.strerror or error}; "
        if not self.path.is_dir():
            return (
                f"{problem}the directory was moved or deleted during the run; if it was moved: "
                f"{errors.call('train', resume=Metavar('NEW_PATH'))}"
            )
        if self.checkpoints.numbered():
            problem += "earlier checkpoints are intact; "
        hint = atomic_io.remedy(error)
        return f"{problem}{f'{hint}, then run' if hint else 'to continue'}: {self.resume_call()}"

    @contextlib.contextmanager
    def held(self) -> Iterator[lock.Owner | None]:
        """Hold the lock of the directory while the block runs; see `lock.held`.

        Partially written files of a killed process are removed.

        Yields:
            The previous owner if it ended without releasing the lock; else None.

        Raises:
            RunError: If another process holds the lock, or the directory cannot be written.
        """
        with contextlib.ExitStack() as stack:
            with self.writing():
                previous = stack.enter_context(lock.held(self.path))
                for directory in (self.path, self.checkpoints.path):
                    atomic_io.remove_unfinished(directory)
            yield previous

    def resume_call(self, **options: object) -> str:
        """Return the command, or the call in Python, that resumes the run.

        Args:
            **options: Further options, as for `errors.call`.
        """
        return errors.call("train", resume=self.path, **options)

    @property
    def config(self) -> RunConfig:
        """Run configuration, read from `config.yaml`."""
        return config.from_file(self.path / CONFIG)

    @property
    def baseline(self) -> dict[str, Any] | None:
        """Baseline in the format of `summary.json`; None if no file has one."""
        for name in ("summary.json", "plan.json"):
            content = self.read_json(name)
            found = content.get("baseline") if isinstance(content, dict) else None
            if run_files.is_baseline(found):
                return found
        return None

    def begin(self, environment: dict[str, Any], finished: bool) -> None:
        """Record the environment at the start or resumption of the run.

        Args:
            environment: Versions and machine. `environment.json` has the first environment at its
                top level, and those of resumptions under `resumed`.
            finished: Whether no step is left. If False, the summary of a shorter run is removed.
        """
        first = self.read_json("environment.json")
        if isinstance(first, dict):
            resumed = first.get("resumed")
            before = resumed if isinstance(resumed, list) else []
            environment = {**first, "resumed": [*before, environment]}
        self.write_json("environment.json", environment)
        if not finished:
            atomic_io.remove(self.path / "summary.json")

    def write_config(self, run: RunConfig) -> None:
        """Write `config.yaml`."""
        atomic_io.write_text(self.path / CONFIG, config.to_yaml(run))

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file, such as `summary.json`."""
        atomic_io.write_text(self.path / name, atomic_io.to_json(content, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """Read a JSON file; None if it is missing, invalid or too large."""
        try:
            return run_files.parse(atomic_io.read_regular(self.path / name, run_files.LARGEST))
        except OSError:
            return None

    def summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run; None if it is missing or invalid."""
        found = self.read_json("summary.json")
        return found if run_files.is_summary(found) else None

    def suite_summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run of all subtasks; None if missing or invalid."""
        found = self.read_json("summary.json")
        return found if run_files.is_suite_summary(found) else None

    def finished(self, run: RunConfig) -> dict[str, Any] | None:
        """Return the summary if no training step of a run is left; else None."""
        found = self.summary()
        if not found:
            return None
        is_over = found.get("until_met") or found.get("stopped_by")
        return found if is_over or found["steps"] == run.train.steps else None

    def append_record(self, record: dict[str, Any], name: str = METRICS) -> None:
        """Append one line to `metrics.jsonl` or another record file, and flush it."""
        self._record_files[name].append(record)

    def records(self, name: str = METRICS) -> list[dict[str, Any]]:
        """Return the records in `metrics.jsonl` or another record file.

        Raises:
            RunError: If the file exists and cannot be read, or is too large.
        """
        return self._record_files[name].read()

    def back_up_records(self) -> dict[str, Any]:
        """Return the backups from which `rewind_records` can restore the record files, by name."""
        backups = {name: file.backup() for name, file in self._record_files.items()}
        return {name: backup for name, backup in backups.items() if backup["steps"]}

    def rewind_records(self, step: int, backups: Mapping[str, Any] | None = None) -> list[str]:
        """Rewind the records to a checkpoint: drop later ones, restore missing ones.

        Args:
            step: Step of the checkpoint.
            backups: Backups in the checkpoint, from `back_up_records`.

        Returns:
            One warning for each file that lacked records.
        """
        warnings: list[str] = []
        for name, file in self._record_files.items():
            backup = (backups or {}).get(name)
            if name == METRICS or backup or file.path.exists():
                warnings += file.rewind(step, backup)
        return warnings

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Save a checkpoint, and record its step in `progress.json`.

        Args:
            checkpoint: Checkpoint to write.
            keep: Number of checkpoints to keep.

        Raises:
            OSError: If a file cannot be written.
        """
        self.checkpoints.save(checkpoint, keep)
        # Outside of `checkpoints/`, so that a loss of all checkpoints can be detected.
        self.write_json(PROGRESS, {"step": checkpoint.step})


class NullRunDir(RunDir):
    """Run directory that discards all writes, for all processes but process 0."""

    def __init__(self) -> None:
        super().__init__(Path("the run directory of process 0"))
        self.checkpoints = _NoCheckpoints(self.path)

    def write_json(self, name: str, content: Any) -> None:
        """Discard a JSON file."""

    def begin(self, environment: dict[str, Any], finished: bool) -> None:
        """Discard the environment."""

    def append_record(self, record: dict[str, Any], name: str = METRICS) -> None:
        """Discard a record."""

    def back_up_records(self) -> dict[str, Any]:
        """Return an empty backup."""
        return {}

    def rewind_records(self, step: int, backups: Mapping[str, Any] | None = None) -> list[str]:
        """Return no warnings."""
        return []

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Discard a checkpoint."""


class _NoCheckpoints(CheckpointDir):
    def save_best(self, checkpoint: Checkpoint) -> Path:
        return self.path
