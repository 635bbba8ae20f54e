"""The run folder for a worker that is not the chief, who alone has it: nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rumcli.config import RunConfig
from rumcli.training.checkpoint import Checkpoint, CheckpointFolder
from rumcli.training.run_folder import METRICS, RunFolder


class Elsewhere(RunFolder):
    """A run folder in which nothing is, and nothing stays."""

    def __init__(self) -> None:
        super().__init__(Path("the run folder"))
        self.checkpoints = _NoCheckpoints(self.path)

    def begin(self, environment: dict[str, Any], finished: bool) -> None:
        """Do nothing."""

    def write_config(self, run: RunConfig) -> None:
        """Do nothing."""

    def write_json(self, name: str, content: Any) -> None:
        """Do nothing."""

    def append_record(self, record: dict[str, Any], name: str = METRICS) -> None:
        """Do nothing."""

    def back_up_records(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def rewind_records(self, step: int, backups: Mapping[str, Any] | None = None) -> list[str]:
        """Do nothing."""
        return []

    def save(self, checkpoint: Checkpoint, keep: int) -> None:
        """Do nothing."""


class _NoCheckpoints(CheckpointFolder):
    def save_best(self, checkpoint: Checkpoint) -> Path:
        return self.path

    def numbered(self) -> list[Path]:
        return []

    def load_newest(self) -> tuple[Checkpoint | None, list[str]]:
        return None, []
