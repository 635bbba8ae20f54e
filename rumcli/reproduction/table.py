"""What a table is: a YAML file with its rows, its conditions and the published figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from rumcli import bounds, config, lenient, suggest
from rumcli.config import RunConfig, described, presets, yaml_file
from rumcli.config.sections import Section
from rumcli.config.yaml_file import Document, KeyPath
from rumcli.errors import ConfigError

_SEEDS = "seeds: 3"
MOST_RUNS = 10_000
_GREEK = {"η": "eta", "λ": "lambda"}

Text = Annotated[str, Field(min_length=1, max_length=500)]
Share = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
Published = str | int | float
Settings = dict[str, Any]


class Row(Section):
    """One model of a table; docs/sweeps.md describes each key."""

    preset: Text | None = None
    set: Settings = Field(default_factory=dict)
    published: dict[str, Published] | Published | None = None
    not_run: dict[str, Text] | Text | None = None
    share: Share | dict[str, Share] = 1.0


class Mean(Section):
    """Runs of which a figure is the mean."""

    over: Text
    of: Annotated[list[Any], Field(min_length=1)]


class Description(Section):
    """A table, as the file has it; docs/sweeps.md describes each key."""

    description: Text
    source: Text
    task: Text | None = None
    preset: Text | None = None
    set: Settings = Field(default_factory=dict)
    figure: Text
    unit: Literal["percent", "bits", "nats", "none"]
    decimals: Annotated[int, Field(ge=0, le=9)] = 1
    conditions: dict[str, Settings] = Field(default_factory=dict)
    rows: Annotated[dict[str, Row], Field(min_length=1)]
    mean: Mean | None = None
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] | None = None
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None


@dataclass(frozen=True)
class Cell:
    """A row under a condition; its runs share the beginning of their folders' names.

    Attributes:
        row: The row's label.
        condition: The condition's label; empty in a table without conditions.
        published: The published figure as it is printed; None if there is none.
        not_run: Why it is not run unless it is asked for by name; None if it is.
        runs: Configurations for seed 1, one for each of those of which the figure is the mean.
        settings: What each of them sets, by key path.
        preset: The preset's name or file; None: the task's.
        share: How much of a budget each of its runs has, beside those of the other cells.
    """

    row: str
    condition: str
    published: str | None
    not_run: str | None
    runs: tuple[RunConfig, ...]
    settings: tuple[Settings, ...]
    preset: str | None
    share: float = 1.0

    @property
    def slug(self) -> str:
        """What it is called in the names of folders."""
        return "-".join(filter(None, (slug(self.row), slug(self.condition))))


@dataclass(frozen=True)
class Table:
    """A table that can be run.

    Attributes:
        name: What it is called.
        description: What the file says.
        text: The file.
        cells: Row by row, and for each row the conditions in their order.
    """

    name: str
    description: Description
    text: str
    cells: tuple[Cell, ...]

    @property
    def conditions(self) -> list[str]:
        """The labels of the conditions; one that is empty if there are none."""
        return list(self.description.conditions) or [""]

    @property
    def rows(self) -> list[str]:
        """The labels of the rows."""
        return list(self.description.rows)

    @property
    def task(self) -> str:
        """The task of all runs."""
        return self.cells[0].runs[0].task.name


def folder() -> Path:
    """Return the folder of the tables that come with the package."""
    return presets.folder() / "tables"


def names() -> list[str]:
    """Return the names of the tables that come with the package."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def read(name_or_file: str, data: str | None = None) -> Table:
    """Read and check a table.

    Args:
        name_or_file: One of `names()`, or a YAML file.
        data: Where the text or the stories are, in place of what the file says.

    Raises:
        ConfigError: If there is no such table, or something in it is wrong.
    """
    path = _path(name_or_file)
    document = yaml_file.read(path)
    description = described.validated(document, Description)
    for label in description.rows:
        _check_row(document, description, label)
    check_names(document, ("rows",), description.rows)
    check_names(document, ("conditions",), description.conditions)
    cells = tuple(
        _cell(document, description, label, condition, data)
        for label in description.rows
        for condition in description.conditions or [""]
    )
    _check_cells(document, description, cells)
    _check_folders(document, cells)
    # A pipe can't be read twice.
    return Table(path.stem, description, document.text, cells)


def slug(label: str) -> str:
    """Return what a label is called in the name of a folder: `ARUM, η = 0.1` → `arum-eta-0.1`."""
    spelled = "".join(_GREEK.get(letter, letter) for letter in label.lower())
    return re.sub(r"[^a-z0-9.]+", "-", spelled).strip("-.")


def check_names(document: Document, place: KeyPath, labels: Mapping[str, Any]) -> None:
    """Make sure that each label makes the name of a folder of its own.

    Raises:
        ConfigError: If one does not.
    """
    known: dict[str, str] = {}
    for label in labels:
        where = document.locate((*place, label))
        name = slug(label)
        if not name or len(name) > 100:
            raise ConfigError(f"{where}: {suggest.clipped(label)}: expected letters or digits")
        if name in known:
            raise ConfigError(f"{where}: '{label}' and '{known[name]}' would have the same folder")
        known[name] = label


def _check_folders(document: Document, cells: Sequence[Cell]) -> None:
    """Make sure that no two cells share a folder, as RUM × 'tall wide' and RUM tall × 'wide' do."""
    known: dict[str, Cell] = {}
    for cell in cells:
        other = known.setdefault(cell.slug, cell)
        if other is not cell:
            where = document.locate(("rows", cell.row))
            raise ConfigError(
                f"{where}: '{cell.row}' under '{cell.condition}' and '{other.row}' under "
                f"'{other.condition}' would have the same folder"
            )


def _path(name_or_file: str) -> Path:
    path = Path(name_or_file)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        return path
    name_or_file = lenient.name(name_or_file, names())
    if name_or_file not in names():
        unknown = suggest.unknown("table", name_or_file, names())
        raise ConfigError(f"{unknown}; or a YAML file of yours")
    return folder() / f"{name_or_file}.yaml"


def _check_row(document: Document, table: Description, label: str) -> None:
    """Make sure that what a row says of conditions is of those that there are."""
    row = table.rows[label]
    for key in ("published", "not_run", "share"):
        found = getattr(row, key)
        for condition in found if isinstance(found, dict) else ():
            if condition not in table.conditions:
                where = document.locate(("rows", label, key, condition))
                unknown = suggest.unknown("condition", condition, table.conditions)
                raise ConfigError(f"{where}: {unknown}")


def _cell(
    document: Document, table: Description, label: str, condition: str, data: str | None
) -> Cell:
    row = table.rows[label]
    preset = row.preset or table.preset
    base = _base(document, table.task, preset)
    sections = _sections(document, table, label, condition)
    if data is not None:
        if not hasattr(base.task, "data"):
            name = base.task.name
            raise ConfigError(f"--data {data}: the task of this table, '{name}', has none")
        sections.append(((), {"task.data": str(Path(data).absolute())}))
    runs, settings = [], []
    for part in _parts(document, table):
        layers = [*sections, (("mean",), part)]
        run = config.changed(base, described.layer(document, *layers))
        if getattr(run.task, "subtask", None) == config.ALL:
            raise ConfigError(f"{document.source}: task.subtask: a run can't have all; see 'mean'")
        runs.append(run)
        settings.append({key: value for _, section in layers for key, value in section.items()})
    return Cell(
        label,
        condition,
        _shown(_of(row.published, condition)),
        _shown(_of(row.not_run, condition)),
        tuple(runs),
        tuple(settings),
        preset,
        _of(row.share, condition) or 1.0,
    )


def _sections(
    document: Document, table: Description, label: str, condition: str
) -> list[tuple[KeyPath, Settings]]:
    """Return what a cell's runs set, with its places in the file; the last is the strongest."""
    sections: list[tuple[KeyPath, Settings]] = [
        (("set",), table.set),
        (("conditions", condition), table.conditions.get(condition, {})),
        (("rows", label, "set"), table.rows[label].set),
    ]
    for place, settings in sections:
        for key in settings:
            described.check_key(document, place, key, _SEEDS)
        described.check_apart(document, place, settings)
    return sections


def _parts(document: Document, table: Description) -> list[Settings]:
    """Return what each of the runs sets of which a figure is the mean."""
    if table.mean is None:
        return [{}]
    described.check_key(document, ("mean",), table.mean.over, _SEEDS)
    return [{table.mean.over: value} for value in table.mean.of]


def _base(document: Document, task: str | None, preset: str | None) -> RunConfig:
    if task is None and preset is None:
        raise ConfigError(f"{document.source}: expected 'preset' or 'task', as in 'task: recall'")
    try:
        return config.build(preset, (), {("task", "name"): task})
    except ConfigError as error:
        raise ConfigError(f"{document.source}: {error}") from error


def _check_cells(document: Document, table: Description, cells: tuple[Cell, ...]) -> None:
    tasks = {run.task.name for cell in cells for run in cell.runs}
    if len(tasks) > 1:
        raise ConfigError(
            f"{document.source}: the runs are of several tasks, {', '.join(sorted(tasks))}; "
            "expected one"
        )
    runs = sum(len(cell.runs) for cell in cells) * table.seeds
    if runs > MOST_RUNS:
        raise ConfigError(f"{document.source}: {runs:,} runs are more than {MOST_RUNS:,}")
    for cell in cells:
        for run in cell.runs:
            if run.task.figures and table.figure not in run.task.figures:
                unknown = suggest.unknown("figure", table.figure, run.task.figures)
                raise ConfigError(f"{document.locate(('figure',))}: {unknown}")
            until = run.train.until
            if until is not None and bounds.read(until).name != table.figure:
                raise ConfigError(
                    f"{document.source}: {cell.row}: train.until is on "
                    f"'{bounds.read(until).name}'; expected the table's figure, '{table.figure}'"
                )


def _of(value: Any, condition: str) -> Any:
    return value.get(condition) if isinstance(value, dict) else value


def _shown(value: Any) -> str | None:
    return None if value is None else str(value)
