"""Directory of a reproduced table, readable without this code.

`options.json` has the options of the command, and `table.yaml` the table. The run directories (see
`jobs.folder`) are beside them, with `results.json` and `results.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError

from rumcli import atomic_io, output_dirs
from rumcli.config import RunConfig
from rumcli.config.field_types import Section
from rumcli.errors import ConfigError, RunError
from rumcli.jobs.events import Job
from rumcli.jobs.folder import JobFolder
from rumcli.reproduction import table as tables
from rumcli.reproduction.table import Table
from rumcli.training import run_schemas
from rumcli.training.run_dir import CONFIG

FOLDER = Path("reproductions")
TABLE = "table.yaml"
_OPTIONS = "options.json"


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

    def kept_for(self, table: Table) -> TableOptions:
        """Return the options as they are stored, independent of the working directory."""
        data = None if self.data is None else str(Path(self.data).absolute())
        return self.model_copy(update={"table": table.name, "data": data})


class TableFolder(JobFolder):
    """Files of a table."""

    command = "rum reproduce"
    described_by = (_OPTIONS, TABLE)

    @property
    def options(self) -> TableOptions:
        """Options of the latest command.

        Raises:
            ConfigError: If they cannot be read.
        """
        path = self.path / _OPTIONS
        try:
            content = run_schemas.parse(atomic_io.read_regular(path, run_schemas.LARGEST))
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

    def with_other_data(self, jobs: Iterable[Job]) -> list[tuple[RunConfig, list[Job]]]:
        """Return the unfinished runs that started with other data, grouped by their current data.

        Returns:
            The configuration of the first run of each group, with the runs of the group.
        """
        found: dict[Any, tuple[RunConfig, list[Job]]] = {}
        for job in jobs:
            place, run = self.run_folder(job), job.config
            if run is None or not (place.path / CONFIG).exists() or place.finished(run):
                continue
            if getattr(place.config.task, "data", None) != getattr(run.task, "data", None):
                # Generated stories, which also replace a missing file, depend on the seed.
                found.setdefault((repr(run.task), run.seed), (run, []))[1].append(job)
        return list(found.values())

    @classmethod
    def _check_usable(cls, path: Path, table: Table) -> None:
        """Check that a directory is new, or was created for this table."""
        if not path.exists() or output_dirs.is_unbegun(path, cls.described_by):
            return
        if not (path / TABLE).is_file():
            raise ConfigError(
                f"--out {path}: it exists, and is no folder that 'rum reproduce' made; choose "
                "another place"
            )
        cls.refuse_earlier(path)
        try:
            before = tables.read(str(path / TABLE))
        except ConfigError:  # of another version, or damaged: runs are checked individually
            return
        metrics = [(one.task, one.spec.metric) for one in (before, table)]
        slugs = [{entry.slug for entry in one.entries} for one in (before, table)]
        if metrics[0] != metrics[1] or not slugs[0] & slugs[1]:
            raise ConfigError(
                f"--out {path}: it is of another table, '{before.spec.description}'; choose "
                "another place"
            )
