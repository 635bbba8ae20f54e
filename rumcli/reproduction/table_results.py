"""Directory of a reproduced table, readable without this code; its results, and their provenance.

`options.json` has the options of the command, and `table.yaml` the table. The run directories are
beside them, with `results.json` and `results.md`. The value of a run is its test metric with the
weights of its best validation. The provenance is that of the environments which the runs recorded.
"""

from __future__ import annotations

import functools
import itertools
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rumcli import atomic_io, output_dirs
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.field_types import Section
from rumcli.jobs import job_folder as job_results
from rumcli.jobs.job_folder import (
    GroupResult,
    JobFolder,
    JobResult,
    Measure,
    SetResults,
    finite,
    statistics_of,
)
from rumcli.jobs.job_spec import FAILED, FINISHED, Job, JobGroup
from rumcli.json_schemas.results import EntryResult, EntryRun, Provenance, RunMachine, TableReport
from rumcli.reproduction import table_spec as tables
from rumcli.reproduction.table_spec import Table
from rumcli.training import run_files
from rumcli.training.run_dir import CONFIG

FOLDER = Path("reproductions")
TABLE = "table.yaml"
_OPTIONS = "options.json"

_VERSIONS = ("rum", "python", "keras", "numpy")
_MAX_LENGTH = 500  # characters of text from files that may be untrusted


class TableOptions(Section):
    """Options that select the runs of a table.

    Attributes:
        table: Name of the table; None for that of the directory.
        seeds: Number of seeds; None for that of the table.
        only: Rows; empty for those that are run by default.
        condition: Conditions; empty for all.
        data: Path of the text or stories; None for that of the table.
    """

    table: str | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    only: list[str] = Field(default_factory=list)
    condition: list[str] = Field(default_factory=list)
    data: str | None = None

    def stored_for(self, table: Table) -> TableOptions:
        """Return the options as they are stored, independent of the working directory."""
        data = None if self.data is None else str(Path(self.data).absolute())
        return self.model_copy(update={"table": table.name, "data": data})


class TableFolder(JobFolder):
    """Files of a table."""

    command, argument, noun = "reproduce", "TABLE", "table"
    described_by = (_OPTIONS, TABLE)

    @property
    def options(self) -> TableOptions:
        """Options of the latest command.

        Raises:
            ConfigError: If they cannot be read.
        """
        path = self.path / _OPTIONS
        try:
            content = run_files.parse(atomic_io.read_regular(path, run_files.LARGEST))
            return TableOptions.model_validate(content)
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"can't read {path}; to continue: rum reproduce TABLE --out {self.path}"
            ) from error

    @classmethod
    def prepare(cls, path: Path, table: Table) -> Self:
        """Create the directory, or open an existing one without changing it.

        Raises:
            ConfigError: If the path is in use or cannot be written.
        """
        try:
            cls._check_usable(path, table)
            atomic_io.make_directory(path, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out {path}: {error.strerror or error}") from error
        return cls(path)

    def describe(self, table: Table, options: TableOptions) -> None:
        """Write the table and the options, after another check of the locked directory.

        Raises:
            ConfigError: If another process has changed the directory since `prepare`.
            RunError: If it cannot be written.
        """
        try:
            self._check_usable(self.path, table)
            atomic_io.remove_unfinished(self.path)
        except OSError as error:
            raise RunError(atomic_io.cannot_write(self.path, error)) from error
        self.write(_OPTIONS, options.model_dump_json(indent=2) + "\n")
        self.write(TABLE, table.text)

    def with_changed_data(self, jobs: Iterable[Job]) -> list[tuple[RunConfig, list[Job]]]:
        """Return the unfinished runs that started with other data, grouped by their current data.

        Returns:
            The configuration of the first run of each group, with the runs of the group.
        """
        grouped: dict[Any, tuple[RunConfig, list[Job]]] = {}
        for job in jobs:
            run_dir, run = self.run_dir(job), job.config
            if run is None or not (run_dir.path / CONFIG).exists() or run_dir.finished(run):
                continue
            if getattr(run_dir.config.task, "data", None) != getattr(run.task, "data", None):
                # Generated stories, which also replace a missing file, depend on the seed.
                grouped.setdefault((repr(run.task), run.seed), (run, []))[1].append(job)
        return list(grouped.values())

    @classmethod
    def _check_usable(cls, path: Path, table: Table) -> None:
        """Check that a directory is new, or was created for this table."""
        if not path.exists() or output_dirs.is_not_started(path, cls.described_by):
            return
        if not (path / TABLE).is_file():
            raise ConfigError(
                f"--out {path}: it exists and is not a directory of 'rum reproduce'; choose "
                "another directory"
            )
        cls.reject_earlier(path)
        try:
            before = tables.read_table(str(path / TABLE))
        except ConfigError:  # of another version, or damaged: runs are checked individually
            return
        metrics = [(one.task, one.spec.metric) for one in (before, table)]
        slugs = [{entry.slug for entry in one.entries} for one in (before, table)]
        if metrics[0] != metrics[1] or not slugs[0] & slugs[1]:
            raise ConfigError(
                f"--out {path}: it belongs to another table, '{before.spec.description}'; choose "
                "another directory"
            )


class _Environment(BaseModel):
    """Displayed part of an `environment.json`, which may be untrusted."""

    model_config = ConfigDict(strict=True, extra="allow")

    command: list[str] = []
    backend: str | None = None
    processor: str | None = None
    cores: Annotated[int, Field(ge=1)] | None = None
    accelerators: list[str] = []

    @property
    def line(self) -> str | None:
        """Command line of the run; None if it was not recorded."""
        return _clean(shlex.join(["rum", *self.command[1:]])) if self.command else None

    @property
    def machine(self) -> RunMachine | None:
        """Machine and versions; None if they were not recorded."""
        names = (*_VERSIONS, self.backend)
        versions = {name: (self.model_extra or {}).get(name) for name in names if name}
        found = RunMachine(
            processor=_clean(self.processor) if self.processor else None,
            cores=self.cores,
            accelerators=list(map(_clean, self.accelerators)),
            versions={_clean(n): _clean(v) for n, v in versions.items() if type(v) is str},
        )
        return found if any(found.model_dump().values()) else None


def provenance_of(folder: JobFolder, jobs: Iterable[Job]) -> Provenance:
    """Return the commands of runs in order, and the machines with their versions.

    A resumed run has several. Invalid records are omitted.
    """
    environments = [_parts(folder.run_dir(job).read_json("environment.json")) for job in jobs]
    rounds = [part for at_once in itertools.zip_longest(*environments) for part in at_once if part]
    return Provenance(
        commands=_distinct(part.line for part in rounds),
        machines=_distinct(part.machine for part in rounds),
    )


def _parts(environment: Any) -> list[_Environment]:
    resumed = environment.get("resumed") if isinstance(environment, dict) else None
    environments = []
    for part in [environment, *(resumed if isinstance(resumed, list) else [])]:
        try:
            environments.append(_Environment.model_validate(part))
        except ValidationError:
            continue
    return environments


def _clean(text: str) -> str:
    text = atomic_io.readable(text)
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_LENGTH]


def _distinct(items: Iterable[Any]) -> list[Any]:
    distinct: list[Any] = []
    for item in items:
        if item is not None and item not in distinct:
            distinct.append(item)
    return distinct


@dataclass(frozen=True)
class TableResults(SetResults):
    """Results of a table.

    Attributes:
        table: Reproduced table.
        seeds: Number of seeds.
    """

    table: Table
    seeds: int

    @functools.cached_property
    def provenance(self) -> Provenance:
        """Commands and machines of the runs."""
        jobs = [one.job for one in self.runs if one.value is not None or not one.message]
        return provenance_of(self.folder, jobs)

    @functools.cached_property
    def document(self) -> TableReport:
        """Document of `rum reproduce --json`."""
        spec = self.table.spec
        return TableReport(
            table=self.table.name,
            description=spec.description,
            source=spec.source,
            task=self.table.task,
            metric=spec.metric,
            unit=spec.unit,
            seeds=self.seeds,
            folder=str(self.folder.path),
            setting=self.provenance,
            runs=self.states,
            entries=[_entry(one) for one in self.groups],
        )


def read_results(
    table: Table, folder: JobFolder, groups: Iterable[JobGroup], seeds: int
) -> TableResults:
    """Read the results of a table.

    Args:
        table: Table to read the results of.
        folder: Directory of the table.
        groups: Runs of the entries.
        seeds: Number of seeds.
    """
    results = job_results.read_results(folder, groups, measure(table))
    planned = sum(run.job.is_due for group in results for run in group.runs)
    return TableResults(folder, results, planned, table, seeds)


def measure(table: Table) -> Measure:
    """Return a function that adds the value of a run to its result, in the unit of the table."""
    name, factor = table.spec.metric, 100.0 if table.spec.unit == "percent" else 1.0

    def measured(result: JobResult) -> JobResult:
        if not result.metrics:
            return result
        value = finite(result.metrics.get(name))
        if value is None:
            problem = "its test has no finite" if name in result.metrics else "its test has no"
            return replace(result, state=FAILED, message=f"{problem} '{name}'")
        return replace(result, value=factor * value)

    return measured


def met_threshold(result: JobResult) -> bool:
    """Return whether a run stopped because a validation met its threshold."""
    return result.state == FINISHED and bool((result.metrics or {}).get("until_met"))


def data_of(result: JobResult) -> str:
    """Return the origin of a run's text or stories; empty if it has none."""
    return str((result.metrics or {}).get("data") or "")


def planned_steps(result: JobResult) -> int:
    """Return the number of training steps of the whole run."""
    assert result.job.config is not None
    return result.job.config.train.steps


def _entry(group: GroupResult) -> EntryResult:
    return EntryResult(
        row=group.key.row,
        condition=group.key.condition or None,
        published=group.key.published,
        skip_reason=group.key.skip_reason,
        ours=statistics_of(group.values),
        whole=group.has_all_parts,
        runs=[
            EntryRun(
                **run.fields,
                part=run.job.part + 1,
                of_steps=planned_steps(run),
                until_met=met_threshold(run),
                value=run.value,
                data=data_of(run) or None,
            )
            for run in group.runs
        ],
    )
