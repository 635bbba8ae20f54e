"""Specification of a table: a YAML file with rows, conditions and published values; its runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rumcli import errors, parsing, plugins
from rumcli.config import RunConfig, catalog, validation, yaml_io
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError
from rumcli.field_types import Section
from rumcli.jobs import job_spec as specs
from rumcli.jobs.job_spec import MAX_RUNS, Job, JobGroup, JobSetSpec, Settings

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
        return self.entries[0].runs[0].task.label


def table_names() -> list[str]:
    """Return the names of the tables included in the package."""
    return catalog.shipped("table")


def read_table(name_or_file: str, data: str | None = None) -> Table:
    """Read and validate a table.

    Args:
        name_or_file: Name from `table_names()`, or path of a YAML file.
        data: Path of the text or stories, which overrides that in the file.

    Raises:
        ConfigError: If the table is unknown or invalid.
    """
    path = catalog.locate_shipped("table", name_or_file)
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
            raise ConfigError(f"{where}: {errors.clipped(label)}: expected letters or digits")
        if known.setdefault(name, label) != label:
            raise ConfigError(
                f"{where}: '{label}' and '{known[name]}' would have the same directory"
            )


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
            name = base.task.label
            raise ConfigError(f"--data {data}: the task of this table, '{name}', reads no data")
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
    value, conditions = getattr(spec.rows[label], key), list(spec.conditions) or [""]
    if not isinstance(value, dict):
        return value
    for name in value:
        if name not in conditions:
            where = document.locate(("rows", label, key, name))
            raise ConfigError(f"{where}: {errors.unknown('condition', name, conditions)}")
    return value.get(condition)


def _check_entries(document: Document, spec: TableSpec, entries: Sequence[TableEntry]) -> None:
    tasks = {run.task.label for entry in entries for run in entry.runs}
    if len(tasks) > 1:
        raise ConfigError(
            f"{document.source}: the runs have several tasks, {', '.join(sorted(tasks))}; "
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
                f"and '{other.row}' under '{other.condition}' would have the same directory"
            )
        for run in entry.runs:
            if run.task.metrics and spec.metric not in run.task.metrics:
                unknown = errors.unknown("metric", spec.metric, run.task.metrics)
                raise ConfigError(f"{document.locate(('metric',))}: {unknown}")
            until = run.train.until and parsing.parse_threshold(run.train.until).name
            if until and until != spec.metric:
                raise ConfigError(
                    f"{document.source}: {entry.row}: train.until uses the metric '{until}'; "
                    f"expected the table's metric, '{spec.metric}'"
                )


def job_groups(
    table: Table, seeds: int, only: Sequence[str] = (), conditions: Sequence[str] = ()
) -> list[JobGroup]:
    """Return the runs of all entries of a table; the selected ones are due.

    Args:
        table: Table to reproduce.
        seeds: Number of seeds.
        only: Labels of rows, or their directory names; empty for all rows except those that the
            table skips.
        conditions: Labels of conditions, or their directory names; empty for all.

    Raises:
        ConfigError: If a row or condition is unknown, or no run is selected.
    """
    rows = {_find_label("--only", "row", label, table.rows) for label in only}
    under = {
        _find_label("--condition", "condition", label, table.spec.conditions)
        for label in conditions
    }
    selected = [
        entry
        for entry in table.entries
        if (entry.row in rows if rows else entry.skip_reason is None)
        and (not under or entry.condition in under)
    ]
    if not selected:
        raise ConfigError(
            f"table '{table.name}': all rows have a skip_reason; select some with --only"
        )
    count = seeds * sum(len(entry.runs) for entry in selected)
    if count > MAX_RUNS:
        raise ConfigError(f"--seeds {seeds}: {count:,} runs are more than {MAX_RUNS:,}")
    return [
        JobGroup(entry, tuple(_jobs(table, entry, seeds, entry in selected)))
        for entry in table.entries
    ]


def due_groups(groups: Iterable[JobGroup]) -> list[tuple[TableEntry, Job]]:
    """Return the due runs, ordered so that seed 1 completes the whole table first."""
    runs = [(group.key, job) for group in groups for job in group.jobs if job.is_due]
    return sorted(runs, key=lambda one: one[1].seed)


def run_command(entry: TableEntry, job: Job, folder: Path) -> str:
    """Return the command that repeats a single run.

    Args:
        entry: Table entry of the run.
        job: Run to repeat.
        folder: Directory of the table.
    """
    run = entry.runs[job.part]
    settings = {**entry.settings[job.part], "seed": job.seed}
    preset = [] if entry.preset is None else ["--preset", entry.preset]
    words = ["rum", "train", run.task.name, *preset]
    words += [
        f"--set={key}={yaml_io.dump(value, one_line=True)}" for key, value in settings.items()
    ]
    trust = [plugins.TRUST] if run.code() else []
    return shlex.join([*words, *trust, "--out", str(folder / job.name)])


def _jobs(table: Table, entry: TableEntry, seeds: int, is_due: bool) -> Iterable[Job]:
    average = table.spec.average
    for seed in range(1, seeds + 1):
        for part, run in enumerate(entry.runs):
            words = [entry.slug]
            if average is not None:
                words.append(f"{slug(average.over.rpartition('.')[2])}-{part + 1}")
            yield Job(
                "-".join([*words, f"seed-{seed}"]),
                seed,
                run.model_copy(update={"seed": seed}),
                part=part,
                budget_weight=entry.budget_weight,
                is_due=is_due,
            )


def _find_label(option: str, kind: str, label: str, known: Collection[str]) -> str:
    """Return the known label that matches a label or directory name."""
    for candidate in known:
        if label == candidate or slug(label) == slug(candidate):
            return candidate
    if not known:
        raise ConfigError(
            f"{option} {errors.clipped(label)}: the table has no {errors.plural(kind)}"
        )
    # Labels contain commas and Greek letters, which directory names do not.
    unknown = errors.unknown(kind, slug(label) or label, map(slug, known))
    raise ConfigError(f"{option} {errors.clipped(label)}: {unknown}")
