"""The run folder: the record of a run, readable without this code.

`config.yaml`, `environment.json`, `plan.json`, `metrics.jsonl`, `checkpoints/`, and at the end
`summary.json`.
What a task keeps there besides is in `training.material`.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rumcli import config, files, folders
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.training import lock, records
from rumcli.training.checkpoint import CheckpointFolder

RUNS = Path("runs")
METRICS = "metrics.jsonl"
NOT_FINITE = "not_finite.jsonl"  # of steps whose loss or gradient was not finite


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = CheckpointFolder(path / "checkpoints")

    @classmethod
    def create(cls, path: Path | None, run: RunConfig) -> RunFolder:
        """Make the folder of a new run.

        Args:
            path: Where; an empty folder may be there. None: `runs/TASK-CELL-1`, or the next number
                that is free.
            run: What will be run; written to `config.yaml`.

        Raises:
            ConfigError: If something is there already, or the place can't be written.
        """
        folder = None
        try:
            folder = cls(folders.make(path, RUNS, f"{run.task.name}-{run.cell.name}"))
            folder.write_config(run)
        except OSError as error:
            if folder is not None:
                folder.discard()
            where = path or RUNS
            raise ConfigError(f"can't write to {where}: {error.strerror or error}") from error
        return folder

    @classmethod
    def open(cls, path: Path, task: str | None = None) -> RunFolder:
        """Open the folder of an earlier run.

        Args:
            path: The folder.
            task: What the run must be of; None: any.

        Raises:
            ConfigError: If it is missing, not a run folder, or of another task.
        """
        if not folders.exists(path):
            raise ConfigError(f"there is no run folder {path}")
        if not path.is_dir():
            raise ConfigError(f"{path} is not a folder; expected the folder of a run")
        if not (path / "config.yaml").exists():
            what = "is empty" if not any(path.iterdir()) else "has no config.yaml"
            raise ConfigError(f"{path} {what}; expected a folder that 'rum train' made")
        folder = cls(path)
        if folder.checkpoints.path.is_symlink():
            raise ConfigError(
                f"{folder.checkpoints.path} is a link; a run keeps its checkpoints in itself"
            )
        if task is not None and folder.config.task.name != task:
            raise ConfigError(f"{path} is a run of '{folder.config.task.name}', not of '{task}'")
        return folder

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what the disk refuses, while a run is under way, into one line for the user.

        Raises:
            RunError: If the block raised an OSError.
        """
        try:
            yield
        except OSError as error:
            raise RunError(
                f"can't write to {self.path}: {error.strerror or error}; what was saved before is "
                f"whole; once there is room: {self.resume_command}"
            ) from error

    @contextlib.contextmanager
    def held(self) -> Iterator[lock.Owner | None]:
        """Keep other processes out while the block runs; see `lock.held`.

        What a process that was killed left half-written goes.

        Raises:
            RunError: If another process has the folder, or it can't be written.
        """
        with contextlib.ExitStack() as stack:
            with self.writing():
                before = stack.enter_context(lock.held(self.path))
                for place in (self.path, self.checkpoints.path):
                    files.remove_unfinished(place)
            yield before

    @property
    def resume_command(self) -> str:
        """What to type to go on with the run."""
        return f"rum train --resume {shlex.quote(str(self.path))}"

    @property
    def config(self) -> RunConfig:
        """The run's configuration, as `config.yaml` has it."""
        return config.from_file(self.path / "config.yaml")

    @property
    def reference(self) -> dict[str, Any] | None:
        """The reference levels, as `summary.json` has them; None if they are not known."""
        for name in ("summary.json", "plan.json"):
            content = self.read_json(name)
            found = content.get("reference") if isinstance(content, dict) else None
            if records.is_reference(found):
                return found
        return None

    def begin(self, environment: dict[str, Any], finished: bool) -> None:
        """Note with what the run, or its next part, is made.

        Args:
            environment: Versions and machine; `environment.json` has the first part's, and the
                others' under `resumed`.
            finished: Whether no step is left; else a summary, of a run that was shorter, goes.
        """
        first = self.read_json("environment.json")
        if isinstance(first, dict):
            resumed = first.get("resumed")
            before = resumed if isinstance(resumed, list) else []
            environment = {**first, "resumed": [*before, environment]}
        self.write_json("environment.json", environment)
        if not finished:
            (self.path / "summary.json").unlink(missing_ok=True)

    def discard(self) -> None:
        """Take back a folder that `create` has just made; one in which more is stays whole."""
        with contextlib.suppress(OSError):
            if any(path.name != "config.yaml" for path in self.path.iterdir()):
                return
            (self.path / "config.yaml").unlink(missing_ok=True)  # the disk may have been full
            self.path.rmdir()

    def write_config(self, run: RunConfig) -> None:
        """Write `config.yaml`."""
        files.write_text(self.path / "config.yaml", config.to_yaml(run))

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file, such as `summary.json`."""
        files.write_text(self.path / name, files.to_json(content, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """Read a JSON file; None if there is none, or it is not JSON, or very large."""
        try:
            return records.parse(files.read_regular(self.path / name, records.LARGEST))
        except OSError:
            return None

    def summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run; None if there is none, or it is something else."""
        found = self.read_json("summary.json")
        return found if records.is_summary(found) else None

    def finished(self, run: RunConfig) -> dict[str, Any] | None:
        """Return the summary if nothing of a run is left to be trained; else None."""
        found = self.summary()
        is_done = found and (found.get("reached") or found["steps"] == run.train.steps)
        return found if is_done else None

    def append_record(self, record: dict[str, Any], name: str = METRICS) -> None:
        """Add one line to `metrics.jsonl`, or to another file of records."""
        path = self.path / name
        if path.is_symlink():  # what is elsewhere is not this run's to write
            path.unlink()
        with path.open("a", encoding="utf-8") as file:
            file.write(files.to_json(record) + "\n")

    def records(self, name: str = METRICS) -> list[dict[str, Any]]:
        """Return the records in `metrics.jsonl`, or in another such file.

        What is none, as a line that was cut off, is left out.

        Raises:
            RunError: If there is something that can't be read, or is very large.
        """
        path = self.path / name
        try:
            content = files.read_regular(path, records.LARGEST)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"can't read {path}: {error.strerror or error}") from error
        found = map(records.parse, content.split(b"\n"))
        is_ours = records.is_record if name == METRICS else records.has_step
        return [record for record in found if is_ours(record)]

    def drop_records_after(self, step: int) -> None:
        """Take back what was recorded after the checkpoint from which a run goes on."""
        for name in (METRICS, NOT_FINITE):
            if name != METRICS and not (self.path / name).exists():
                continue
            kept = [record for record in self.records(name) if record["step"] <= step]
            lines = "".join(files.to_json(record) + "\n" for record in kept)
            files.write_text(self.path / name, lines)
