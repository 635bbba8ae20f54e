"""JSON files in a run directory: their schemas, and the append-only record of metrics.

Files are validated on reading because they are untrusted. Content that does not match is ignored,
like a line that a crash truncated. A record is on the disk before the checkpoint that follows it,
which contains a backup. If part of the file is lost nevertheless, it is restored from the
checkpoint, or the lost steps are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rumcli import atomic_io, parsing
from rumcli.errors import RunError
from rumcli.json_schemas.base import Absent
from rumcli.json_schemas.results import SuiteSummary, Summary, SummaryBaseline

LARGEST = 2**26  # maximum bytes of a file; a million evaluations take half of that
_MAX_STEP = 2**62
_Step = Annotated[int, Field(ge=0, le=_MAX_STEP)]
_Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
# Names appear in tables: a single line, without brackets, which are markup.
_Name = Annotated[str, Field(max_length=100, pattern=r"^[^\[\]\x00-\x1f\x7f]+$")]
_Text = Annotated[str, Field(max_length=5000)]
_SAMPLE_UNITS = ("examples", "characters", "questions")

_BACKUP_BYTES = 2**20  # newest records in a checkpoint: about 5000 evaluations
_MAX_NAMED = 6  # maximum number of steps listed in a message
Record = dict[str, Any]


class _FileContent(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _AtStep(_FileContent):
    step: _Step


class _Record(_AtStep):
    __pydantic_extra__: dict[str, _Number | None]
    seconds: _Seconds = 0.0


class _Baseline(SummaryBaseline):
    model_config = ConfigDict(allow_inf_nan=False)

    metric: _Name
    label: _Name


class _Summary(Summary):
    model_config = ConfigDict(allow_inf_nan=False)

    task: _Name
    cell: _Name
    metric: _Name
    steps: _Step
    seconds: _Seconds
    weights_of_step: _Step
    loss: _Number
    baseline: _Baseline
    folder: _Text
    data: _Text | Absent = None
    subtask_name: _Name | Absent = None
    until_met: _Name | None
    stopped_by: _Name | None = None


class _SuiteSummary(SuiteSummary):
    model_config = ConfigDict(allow_inf_nan=False)


class _Best(_FileContent):
    step: _Step
    value: float  # non-finite if the first evaluation was


class SavedProgress(_FileContent):
    """Progress of a run, stored in a checkpoint."""

    model_config = ConfigDict(extra="ignore")

    seconds: _Seconds
    best: _Best | None
    skipped: _Step = 0
    consecutive_skips: _Step = 0
    until_met: bool = False
    stopped_by: _Text | None = None


class _Backup(_FileContent):
    steps: list[_Step]
    newest: list[str]


class Manifest(_FileContent):
    """Contents of a checkpoint besides arrays and digest."""

    format: int
    step: _Step
    progress: SavedProgress
    records: dict[str, _Backup] = {}


class _Owner(_FileContent):
    host: _Name
    process: Annotated[int, Field(ge=0, le=2**63)]
    since: _Name


def parse(text: str | bytes) -> Any:
    """Parse JSON; None if it is invalid, or exceeds the limits of `json_parser`."""
    try:
        return parsing.parse_json(text)
    except ValueError:
        return None


def is_record(content: Any) -> bool:
    """Return whether content is an evaluation record: step, time and metrics."""
    return _fits(_Record, content)


def has_step(content: Any) -> bool:
    """Return whether content is a record with a step, whatever its other keys."""
    return _fits(_AtStep, content)


def is_summary(content: Any) -> bool:
    """Return whether content is the summary of a finished run, complete enough for tables."""
    if not _fits(_Summary, content):
        return False
    baseline = content["baseline"]
    monitored = content.get(baseline["metric"])
    shown = [monitored, content.get(content["metric"])]
    counts = [content[name] for name in _SAMPLE_UNITS if name in content]
    # A baseline of zero with a lower target has no relative gap.
    has_gap = baseline["value"] != 0 or baseline["target"] >= baseline["value"]
    return (
        all(type(number) in (int, float) for number in shown)
        and all(type(count) is int for count in counts)
        and has_gap
    )


def is_suite_summary(content: Any) -> bool:
    """Return whether content is the summary of a finished run of all bAbI subtasks."""
    return isinstance(content, dict) and _fits(
        _SuiteSummary, {key: value for key, value in content.items() if key != "schema"}
    )


def is_baseline(content: Any) -> bool:
    """Return whether content is a baseline: metric, label, value and target."""
    return _fits(_Baseline, content)


def is_manifest(content: Any) -> bool:
    """Return whether content is the manifest of a checkpoint."""
    return _fits(Manifest, content)


def is_owner(content: Any) -> bool:
    """Return whether content is the owner stored in a lock file."""
    return _fits(_Owner, content)


def _fits(model: type[BaseModel], content: Any) -> bool:
    try:
        model.model_validate(content)
    except (ValidationError, RecursionError):
        return False
    return True


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
            content = atomic_io.read_regular(self.path, LARGEST)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"can't read {self.path}: {error.strerror or error}") from error
        found = map(parse, content.split(b"\n"))
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
                    f"{self.path} lacked the records of {_named(restored)}, which were restored "
                    f"from the checkpoint of step {step}"
                )
            if lost:
                warnings.append(
                    f"{self.path} lacks the records of {_named(lost)}, which are lost: the "
                    f"checkpoint of step {step} contains only the newest records"
                )
        self._lines = [(record["step"], atomic_io.to_json(record)) for record in kept]
        atomic_io.write_text(self.path, "".join(f"{line}\n" for _, line in self._lines))
        return warnings

    def _merge(
        self, found: Sequence[Record], backup: Mapping[str, Any]
    ) -> tuple[list[Record], list[int], list[int]]:
        """Return the records of a backup, the steps restored from it, and the steps lost."""
        newest = list(filter(self._is_valid, map(parse, backup["newest"])))
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
    if len(steps) <= _MAX_NAMED:
        return f"steps {', '.join(map(str, steps[:-1]))} and {steps[-1]}"
    return f"steps {steps[0]}, {steps[1]}, … {steps[-1]} ({len(steps)} in all)"
