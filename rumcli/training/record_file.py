"""Append-only record file of a run, backed up in each checkpoint.

A record is on the disk before the checkpoint that follows it. If part of the file is lost
nevertheless, it is restored from the checkpoint, or the lost steps are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rumcli import atomic_io
from rumcli.errors import RunError
from rumcli.training import run_schemas

_BACKUP_BYTES = 2**20  # newest records in a checkpoint: about 5000 evaluations
_MOST_NAMED = 6  # maximum number of steps listed in a message

Record = dict[str, Any]


class RecordFile:
    """Record file with one JSON object per line, such as `metrics.jsonl`.

    Args:
        path: File, which may be missing.
        is_valid: Predicate for parsed lines. Lines for which it is False are ignored.
    """

    def __init__(self, path: Path, is_valid: Callable[[Any], bool]) -> None:
        self.path = path
        self._is_valid = is_valid
        self._lines: list[tuple[int, str]] | None = None  # step and text; None: not read yet

    def read(self) -> list[Record]:
        """Return the valid records; a truncated line, for example, is ignored.

        Raises:
            RunError: If the file cannot be read, or is too large.
        """
        try:
            content = atomic_io.read_regular(self.path, run_schemas.LARGEST)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"can't read {self.path}: {error.strerror or error}") from error
        found = map(run_schemas.parse, content.split(b"\n"))
        return [record for record in found if self._is_valid(record)]

    def append(self, record: Record) -> None:
        """Append a record and flush it to the disk.

        Args:
            record: Record with a `step`.

        Raises:
            OSError: If the record cannot be written.
            RunError: If the file cannot be read.
        """
        lines, line = self._read_lines(), atomic_io.to_json(record)
        atomic_io.append(self.path, f"{line}\n".encode())
        lines.append((record["step"], line))

    def backup(self) -> dict[str, Any]:
        """Return the backup from which `rewind` can restore the file.

        Returns:
            Dictionary with the `steps` of all records, and the lines of the `newest` ones, up to
            1 MiB.
        """
        lines = self._read_lines()
        first, size = len(lines), 0
        while first > 0 and (size := size + len(lines[first - 1][1])) <= _BACKUP_BYTES:
            first -= 1
        return {
            "steps": [step for step, _ in lines],
            "newest": [line for _, line in lines[first:]],
        }

    def rewind(self, step: int, backup: Mapping[str, Any] | None) -> list[str]:
        """Rewind the file to a checkpoint: drop later records, restore missing ones.

        Args:
            step: Step of the checkpoint.
            backup: Backup in the checkpoint, from `backup`; None if it has none.

        Returns:
            Warnings that list the restored and the lost records.

        Raises:
            OSError: If the file cannot be written.
            RunError: If the file cannot be read.
        """
        kept = [record for record in self.read() if record["step"] <= step]
        warnings: list[str] = []
        if backup is not None:
            kept, restored, lost = self._merge(kept, backup)
            if restored:
                warnings.append(
                    f"{self.path} lacked the records of {_named(restored)}; they are restored "
                    f"from the checkpoint of step {step}"
                )
            if lost:
                warnings.append(
                    f"{self.path} lacks the records of {_named(lost)}; they are lost, also in the "
                    f"checkpoint of step {step}, which has the newest ones only"
                )
        self._lines = [(record["step"], atomic_io.to_json(record)) for record in kept]
        atomic_io.write_text(self.path, "".join(f"{line}\n" for _, line in self._lines))
        return warnings

    def _merge(
        self, found: Sequence[Record], backup: Mapping[str, Any]
    ) -> tuple[list[Record], list[int], list[int]]:
        """Return the records of a backup, the steps restored from it, and the steps lost."""
        newest = list(filter(self._is_valid, map(run_schemas.parse, backup["newest"])))
        by_step = {record["step"]: record for record in found}
        older = backup["steps"][: len(backup["steps"]) - len(newest)]
        restored = [one["step"] for one in newest if by_step.get(one["step"]) != one]
        lost = [step for step in older if step not in by_step]
        return [by_step[step] for step in older if step in by_step] + newest, restored, lost

    def _read_lines(self) -> list[tuple[int, str]]:
        if self._lines is None:
            self._lines = [(record["step"], atomic_io.to_json(record)) for record in self.read()]
        return self._lines


def _named(steps: Sequence[int]) -> str:
    if len(steps) == 1:
        return f"step {steps[0]}"
    if len(steps) <= _MOST_NAMED:
        return f"steps {', '.join(map(str, steps[:-1]))} and {steps[-1]}"
    return f"steps {steps[0]}, {steps[1]}, … {steps[-1]} ({len(steps)} in all)"
