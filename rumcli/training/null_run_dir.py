"""Run directory of a process without one: reads and writes have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rumcli.training.checkpoint import Checkpoint, CheckpointDir
from rumcli.training.run_dir import METRICS, RunDir


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
