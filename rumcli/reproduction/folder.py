"""The directory of a table: readable without this code.

`table.yaml` (the table), `options.json` (the options with which it is run), the run directories
(see `jobs.folder`), `results.json` and `results.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from rumcli import files, folders
from rumcli.config.sections import Section
from rumcli.errors import ConfigError, RunError
from rumcli.jobs.folder import JobFolder, refuse_earlier
from rumcli.reproduction import table as tables
from rumcli.reproduction.plan import Run
from rumcli.reproduction.table import Table
from rumcli.training import records

FOLDER = Path("reproductions")
TABLE = "table.yaml"
_OPTIONS = "options.json"


class Chosen(Section):
    """The options that say which runs of a table are run.

    Attributes:
        table: Name of the table; None: that of the directory.
        seeds: Number of seeds; None: that of the table.
        only: Rows; empty: those that are run by default.
        condition: Conditions; empty: all.
        data: Path of the text or the stories; None: that of the table.
    """

    table: str | None = None
    seeds: Annotated[int, Field(ge=1)] | None = None
    only: list[str] = Field(default_factory=list)
    condition: list[str] = Field(default_factory=list)
    data: str | None = None

    def kept_for(self, table: Table) -> Chosen:
        """Return the options as they are kept, independent of the working directory."""
        data = None if self.data is None else str(Path(self.data).absolute())
        return self.model_copy(update={"table": table.name, "data": data})


class TableFolder(JobFolder):
    """The files of a table."""

    @classmethod
    def open(cls, path: Path) -> TableFolder:
        """Open the directory of an earlier command.

        Raises:
            ConfigError: If it is missing, or not of a table.
        """
        if not (path / TABLE).is_file():
            raise ConfigError(f"{path} has no {TABLE}; expected a folder that 'rum reproduce' made")
        refuse_earlier(path, "rum reproduce")
        return cls(path)

    @property
    def chosen(self) -> Chosen:
        """The options of the latest command.

        Raises:
            ConfigError: If they can't be read.
        """
        path = self.path / _OPTIONS
        try:
            content = records.parse(files.read_regular(path, records.LARGEST))
            return Chosen.model_validate(content)
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"can't read {path}; to continue: rum reproduce TABLE --out {self.path}"
            ) from error

    @classmethod
    def prepare(cls, path: Path, table: Table) -> TableFolder:
        """Make the folder, or open one that is there, of which nothing is changed yet.

        Raises:
            ConfigError: If something else is there, or the place can't be written.
        """
        try:
            _check_usable(path, table)
            files.make_directory(path, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--out {path}: {error.strerror or error}") from error
        return cls(path)

    def keep(self, table: Table, chosen: Chosen | None = None) -> None:
        """Write what is run; the directory is locked, and is checked again.

        Raises:
            ConfigError: If another process has made something else of the folder since `prepare`.
            RunError: If it can't be written.
        """
        try:
            _check_usable(self.path, table)
            files.remove_unfinished(self.path)
            if chosen is not None:
                files.write_text(self.path / _OPTIONS, chosen.model_dump_json(indent=2) + "\n")
            files.write_text(self.path / TABLE, table.text)
        except OSError as error:
            raise RunError(files.cannot_write(self.path, error)) from error

    def check(self, runs: Iterable[Run]) -> None:
        """Make sure that the runs that are there are those of the table.

        Raises:
            ConfigError: If some are not.
        """
        others: list[tuple[Run, list[str]]] = []
        for run in runs:
            place = self.run_folder(run)
            if place.path.exists() and not place.path.is_dir():
                raise ConfigError(f"{place.path} is not a folder; expected that of a run, or none")
            if changed := self.changed(run, run.config):
                others.append((run, changed))
        if others:
            (run, changed), more = others[0], len(others) - 1
            also = f" and {more} more" if more else ""
            raise ConfigError(
                f"{self.run_folder(run).path}{also}: the configuration differs from the table's in "
                f"{', '.join(changed)}; choose another --out, or remove what differs"
            )

    def with_other_data(self, runs: Iterable[Run]) -> list[list[Run]]:
        """Return the unfinished runs that began with data elsewhere, or with none.

        Those that are together are of the same stories or text now.
        """
        found: dict[Any, list[Run]] = {}
        for run in runs:
            place, task = self.run_folder(run), run.config.task
            if not (place.path / "config.yaml").exists() or place.finished(run.config):
                continue
            if getattr(place.config.task, "data", None) != getattr(task, "data", None):
                # Stories that are generated, for want of a file too, are of the seed.
                found.setdefault((repr(task), run.seed), []).append(run)
        return list(found.values())

    def write(self, document: dict[str, Any], markdown: str) -> None:
        """Write `results.json` and `results.md`.

        Raises:
            RunError: If they can't be written.
        """
        try:
            text = files.to_json(document, indent=2)
            files.write_text(self.path / "results.json", text + "\n")
            files.write_text(self.path / "results.md", markdown)
        except OSError as error:
            raise RunError(files.cannot_write(self.path, error)) from error


def _check_usable(path: Path, table: Table) -> None:
    """Check that a folder is new, or was made for this table."""
    if not path.exists() or folders.is_unbegun(path, [_OPTIONS, TABLE]):
        return
    if not (path / TABLE).is_file():
        raise ConfigError(
            f"--out {path}: it exists, and is no folder that 'rum reproduce' made; choose "
            "another place"
        )
    refuse_earlier(path, "rum reproduce")
    _check_same(path / TABLE, table)


def _check_same(file: Path, table: Table) -> None:
    """Make sure that a folder was made for this table, or for what it was before."""
    try:
        before = tables.read(str(file))
    except ConfigError:  # of another version, or damaged: its runs are checked one by one
        return
    told = [(one.task, one.description.figure) for one in (before, table)]
    cells = [{cell.slug for cell in one.cells} for one in (before, table)]
    if told[0] != told[1] or not cells[0] & cells[1]:
        raise ConfigError(
            f"--out {file.parent}: it is of another table, '{before.description.description}'; "
            "choose another place"
        )
