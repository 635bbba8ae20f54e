"""What a run folder keeps as JSON, checked where it is read: anyone may have written it.

What has another form than ours is passed over like what a crash cut off, never worked with.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rumcli import json_parser
from rumcli.json_schemas.base import Absent
from rumcli.json_schemas.results import Summary, SummaryBaseline

LARGEST = 2**26  # bytes of a file; a million of evaluations have half of that
_LARGEST_STEP = 2**62
_Step = Annotated[int, Field(ge=0, le=_LARGEST_STEP)]
_Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
# As in tables, where brackets are markup, and in one line.
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
    value: float  # that is not finite where the first evaluation was not


class SavedProgress(_Ours):
    """The progress of a run in a checkpoint."""

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
    """The contents of a checkpoint besides arrays and digest."""

    format: int
    step: _Step
    progress: SavedProgress
    records: dict[str, _Backup] = {}


class _Owner(_Ours):
    host: _Name
    process: Annotated[int, Field(ge=0, le=2**63)]
    since: _Name


def parse(text: str | bytes) -> Any:
    """Parse JSON; None if it is none, or has numbers, a size or a depth that are not ours."""
    try:
        return json_parser.parse(text)
    except ValueError:
        return None


def is_record(content: Any) -> bool:
    """Tell whether something is one evaluation of a run: its step, its time and numbers."""
    return _fits(_Record, content)


def has_step(content: Any) -> bool:
    """Tell whether something is a record of a step, whatever else it says of it."""
    return _fits(_AtStep, content)


def is_summary(content: Any) -> bool:
    """Tell whether something is the summary of a finished run, with all that tables show."""
    if not _fits(_Summary, content):
        return False
    baseline = content["baseline"]
    monitored = content.get(baseline["metric"])
    shown = [monitored, content.get(content["metric"])]
    counts = [content[name] for name in _COUNTED if name in content]
    # The distance from a level of zero to a lower one is no share of it.
    has_distance = baseline["value"] != 0 or baseline["target"] >= baseline["value"]
    return (
        all(type(number) in (int, float) for number in shown)
        and all(type(count) is int for count in counts)
        and has_distance
    )


def is_reference(content: Any) -> bool:
    """Tell whether something is a reference level: of what, its name and its numbers."""
    return _fits(_Reference, content)


def is_manifest(content: Any) -> bool:
    """Tell whether something is what a checkpoint says of itself: its step and its progress."""
    return _fits(Manifest, content)


def is_owner(content: Any) -> bool:
    """Tell whether something names the process that has a directory: what a lock contains."""
    return _fits(_Owner, content)


def _fits(model: type[BaseModel], content: Any) -> bool:
    try:
        model.model_validate(content)
    except (ValidationError, RecursionError):
        return False
    return True
