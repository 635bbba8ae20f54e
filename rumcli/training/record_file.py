"""An append-only file of a run's record, which each checkpoint backs up.

A record is on the disk before the checkpoint that follows it. Where a disk or a user loses part of
the file nevertheless, it is restored from the checkpoint, or the steps that are lost are named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rumcli import atomic_io
from rumcli.errors import RunError
from rumcli.training import run_schemas

_BACKUP_BYTES = 2**20  # of the newest records, in a checkpoint: some 5000 evaluations
_MOST_NAMED = 6  # steps in a message

Record = dict[str, Any]


class RecordFile:
    """Records of steps, one JSON object per line, such as `metrics.jsonl`.

    Args:
        path: File, which may be missing.
        is_valid: Tells whether a parsed line is a record of this file; other lines are ignored.
    """

    def __init__(self, path: Path, is_valid: Callable[[Any], bool]) -> None:
        self.path = path
        self._is_valid = is_valid
        self._lines: list[tuple[int, str]] | None = None  # step and text; None: not read yet

    def read(self) -> list[Record]:
        """Return the records; a line that was cut off, for example, is none.

        Raises:
            RunError: If the file can't be read, or is very large.
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
        """Add a record, which is on the disk when this returns.

        Raises:
            OSError: If it can't be written.
            RunError: If the file can't be read.
        """
        lines, line = self._read_lines(), atomic_io.to_json(record)
        atomic_io.append(self.path, f"{line}\n".encode())
        lines.append((record["step"], line))

    def backup(self) -> dict[str, Any]:
        """Return the part of a checkpoint from which `rewind` can restore the file.

        Returns:
            The `steps` of all records, and the lines of the `newest` ones, up to 1 MiB.
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
        """Return to the records that a checkpoint has: drop later ones, restore missing ones.

        Args:
            step: Step of the checkpoint.
            backup: What `backup` returned for it; None if it has none.

        Returns:
            One line for the user if records were missing: which are restored, and which are lost.

        Raises:
            OSError: If the file can't be written.
            RunError: If it can't be read.
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
        """Return the records of a backup's steps, and the steps of restored and of lost ones."""
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
