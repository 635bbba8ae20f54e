"""Schemas of the JSON in a run directory, validated on reading because the files are untrusted.

Content that does not match is ignored, like a line that a crash truncated.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rumcli import json_parser
from rumcli.json_schemas.base import Absent
from rumcli.json_schemas.results import Summary, SummaryBaseline

LARGEST = 2**26  # maximum bytes of a file; a million evaluations take half of that
_LARGEST_STEP = 2**62
_Step = Annotated[int, Field(ge=0, le=_LARGEST_STEP)]
_Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
# Names appear in tables: a single line, without brackets, which are markup.
_Name = Annotated[str, Field(max_length=100, pattern=r"^[^\[\]\x00-\x1f\x7f]+$")]
_Text = Annotated[str, Field(max_length=5000)]
_COUNTED = ("examples", "characters", "questions")


class _Ours(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _AtStep(_Ours):
    step: _Step


class _Record(_AtStep):
    __pydantic_extra__: dict[str, _Number | None]
    seconds: _Seconds = 0.0


class _Reference(SummaryBaseline):
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
    baseline: _Reference
    folder: _Text
    data: _Text | Absent = None
    subtask_name: _Name | Absent = None
    reached: _Name | None
    stopped_by: _Name | None = None


class _Best(_Ours):
    step: _Step
    value: float  # non-finite if the first evaluation was


class SavedProgress(_Ours):
    """Progress of a run, stored in a checkpoint."""

    model_config = ConfigDict(extra="ignore")

    seconds: _Seconds
    best: _Best | None
    skipped: _Step = 0
    skipped_in_a_row: _Step = 0
    reached: bool = False
    stopped_by: _Text | None = None


class _Backup(_Ours):
    steps: list[_Step]
    newest: list[str]


class Manifest(_Ours):
    """Contents of a checkpoint besides arrays and digest."""

    format: int
    step: _Step
    progress: SavedProgress
    records: dict[str, _Backup] = {}


class _Owner(_Ours):
    host: _Name
    process: Annotated[int, Field(ge=0, le=2**63)]
    since: _Name


def parse(text: str | bytes) -> Any:
    """Parse JSON; None if it is invalid, or exceeds the limits of `json_parser`."""
    try:
        return json_parser.parse(text)
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
    counts = [content[name] for name in _COUNTED if name in content]
    # A baseline of zero with a lower target has no relative gap.
    has_distance = baseline["value"] != 0 or baseline["target"] >= baseline["value"]
    return (
        all(type(number) in (int, float) for number in shown)
        and all(type(count) is int for count in counts)
        and has_distance
    )


def is_reference(content: Any) -> bool:
    """Return whether content is a baseline: metric, label, value and target."""
    return _fits(_Reference, content)


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
