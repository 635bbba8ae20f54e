"""Specification of a table: a YAML file with its rows, conditions and published values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rumcli import coercion, messages, thresholds
from rumcli.config import RunConfig, preset_files, validation, yaml_io
from rumcli.config.field_types import Section
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError
from rumcli.jobs import spec as specs
from rumcli.jobs.spec import MAX_RUNS, JobSetSpec, Settings

_GREEK = {"η": "eta", "λ": "lambda"}

Text = Annotated[str, Field(min_length=1, max_length=500)]
Weight = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Published = str | int | float


class TableRow(Section):
    """Model of a table; docs/sweeps.md documents the keys."""

    preset: Text | None = None
    set: Settings = Field(default_factory=dict)
    published: dict[str, Published] | Published | None = None
    skip_reason: dict[str, Text] | Text | None = None
    budget_weight: Weight | dict[str, Weight] = 1.0


class Average(Section):
    """Runs over which a result is averaged."""

    over: Text
    of: Annotated[list[Any], Field(min_length=1)]


class TableSpec(JobSetSpec):
    """Content of a table file."""

    description: Text
    source: Text
    metric: Text
    unit: Literal["percent", "bits", "nats", "none"]
    decimals: Annotated[int, Field(ge=0, le=9)] = 1
    conditions: dict[str, Settings] = Field(default_factory=dict)
    rows: Annotated[dict[str, TableRow], Field(min_length=1)]
    average: Average | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3


@dataclass(frozen=True)
class TableEntry:
    """Row under a condition; the directory names of its runs have a common prefix.

    Attributes:
        row: Label of the row.
        condition: Label of the condition; empty in a table without conditions.
        published: Published value as printed; None if there is none.
        skip_reason: Reason why it is run only if selected; None if it is run by default.
        runs: Configurations for seed 1, one for each part of the average.
        settings: Settings of each configuration, by key path.
        preset: Name or file of the preset; None for that of the task.
        budget_weight: Share of each run in a budget, relative to the runs of other entries.
    """

    row: str
    condition: str
    published: str | None
    skip_reason: str | None
    runs: tuple[RunConfig, ...]
    settings: tuple[Settings, ...]
    preset: str | None
    budget_weight: float = 1.0

    @property
    def slug(self) -> str:
        """Prefix of the directory names of its runs."""
        return "-".join(filter(None, (slug(self.row), slug(self.condition))))


@dataclass(frozen=True)
class Table:
    """Validated table.

    Attributes:
        name: Name of the table.
        spec: Content of the file.
        text: Text of the file.
        entries: Entries by row, and within a row by condition.
    """

    name: str
    spec: TableSpec
    text: str
    entries: tuple[TableEntry, ...]

    @property
    def conditions(self) -> list[str]:
        """Labels of the conditions; one empty label if there are none."""
        return list(self.spec.conditions) or [""]

    @property
    def rows(self) -> list[str]:
        """Labels of the rows."""
        return list(self.spec.rows)

    @property
    def task(self) -> str:
        """Task of all runs."""
        return self.entries[0].runs[0].task.name


def folder() -> Path:
    """Return the directory of the tables included in the package."""
    return preset_files.folder() / "tables"


def names() -> list[str]:
    """Return the names of the tables included in the package."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def read(name_or_file: str, data: str | None = None) -> Table:
    """Read and validate a table.

    Args:
        name_or_file: Name from `names()`, or path of a YAML file.
        data: Path of the text or stories, which overrides that in the file.

    Raises:
        ConfigError: If the table is unknown or invalid.
    """
    path = _path(name_or_file)
    document = yaml_io.read(path)
    spec = validation.validated(document, TableSpec)
    _check_names(document, ("rows",), spec.rows)
    _check_names(document, ("conditions",), spec.conditions)
    entries = tuple(
        _entry(document, spec, label, condition, data)
        for label in spec.rows
        for condition in spec.conditions or [""]
    )
    _check_entries(document, spec, entries)
    # Keep the text, because a pipe cannot be read twice.
    return Table(path.stem, spec, document.text, entries)


def slug(label: str) -> str:
    """Convert a label for use in a directory name: `ARUM, η = 0.1` → `arum-eta-0.1`."""
    spelled = "".join(_GREEK.get(letter, letter) for letter in label.lower())
    return re.sub(r"[^a-z0-9.]+", "-", spelled).strip("-.")


def _check_names(document: Document, place: KeyPath, labels: Mapping[str, Any]) -> None:
    """Check that the labels have distinct directory names."""
    known: dict[str, str] = {}
    for label in labels:
        where, name = document.locate((*place, label)), slug(label)
        if not name or len(name) > 100:
            raise ConfigError(f"{where}: {messages.clipped(label)}: expected letters or digits")
        if known.setdefault(name, label) != label:
            raise ConfigError(f"{where}: '{label}' and '{known[name]}' would have the same folder")


def _path(name_or_file: str) -> Path:
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    name_or_file = coercion.name(name_or_file, names())
    if name_or_file not in names():
        unknown = messages.unknown("table", name_or_file, names())
        raise ConfigError(f"{unknown}; or a YAML file of yours")
    return folder() / f"{name_or_file}.yaml"


def _entry(
    document: Document, spec: TableSpec, label: str, condition: str, data: str | None
) -> TableEntry:
    row = spec.rows[label]
    preset = row.preset or spec.preset
    base = specs.base_config(document, spec.task, preset)
    sections: list[tuple[KeyPath, Settings]] = [  # later ones take precedence
        (("set",), spec.set),
        (("conditions", condition), spec.conditions.get(condition, {})),
        (("rows", label, "set"), row.set),
    ]
    parts: list[Settings] = [{}]
    if spec.average is not None:
        parts = [{spec.average.over: value} for value in spec.average.of]
    for section in (*sections, (("average",), parts[0])):
        specs.check_settings(document, *section)
    if data is not None:
        if not hasattr(base.task, "data"):
            name = base.task.name
            raise ConfigError(f"--data {data}: the task of this table, '{name}', has none")
        sections.append(((), {"task.data": str(Path(data).absolute())}))
    layers = [[*sections, (("average",), part)] for part in parts]
    published, skip_reason, weight = (
        _under(document, spec, label, key, condition)
        for key in ("published", "skip_reason", "budget_weight")
    )
    return TableEntry(
        label,
        condition,
        None if published is None else str(published),
        skip_reason,
        tuple(specs.changed(base, document, *one) for one in layers),
        tuple({key: value for _, part in one for key, value in part.items()} for one in layers),
        preset,
        weight or 1.0,
    )


def _under(document: Document, spec: TableSpec, label: str, key: str, condition: str) -> Any:
    """Return the value of a row's key, which may be a mapping by condition."""
    found, known = getattr(spec.rows[label], key), list(spec.conditions) or [""]
    if not isinstance(found, dict):
        return found
    for name in found:
        if name not in known:
            where = document.locate(("rows", label, key, name))
            raise ConfigError(f"{where}: {messages.unknown('condition', name, known)}")
    return found.get(condition)


def _check_entries(document: Document, spec: TableSpec, entries: Sequence[TableEntry]) -> None:
    tasks = {run.task.name for entry in entries for run in entry.runs}
    if len(tasks) > 1:
        raise ConfigError(
            f"{document.source}: the runs are of several tasks, {', '.join(sorted(tasks))}; "
            "expected one"
        )
    runs = sum(len(entry.runs) for entry in entries) * spec.seeds
    if runs > MAX_RUNS:
        raise ConfigError(f"{document.source}: {runs:,} runs are more than {MAX_RUNS:,}")
    known: dict[str, TableEntry] = {}
    for entry in entries:
        other = known.setdefault(entry.slug, entry)
        if other is not entry:  # as RUM under 'tall wide', and RUM tall under 'wide'
            raise ConfigError(
                f"{document.locate(('rows', entry.row))}: '{entry.row}' under '{entry.condition}' "
                f"and '{other.row}' under '{other.condition}' would have the same folder"
            )
        for run in entry.runs:
            if run.task.figures and spec.metric not in run.task.figures:
                unknown = messages.unknown("metric", spec.metric, run.task.figures)
                raise ConfigError(f"{document.locate(('metric',))}: {unknown}")
            until = run.train.until and thresholds.read(run.train.until).name
            if until and until != spec.metric:
                raise ConfigError(
                    f"{document.source}: {entry.row}: train.until is on '{until}'; expected the "
                    f"table's metric, '{spec.metric}'"
                )
