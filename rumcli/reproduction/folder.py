"""The folder of a table: readable without this code.

`table.yaml` (the table), a run folder for each run, with a `reproduction.json` in it where the
command ended that run itself; `results.json` and `results.md`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rumcli import config, files, folders
from rumcli.errors import ConfigError, RunError
from rumcli.reproduction import table as tables
from rumcli.reproduction.budget import Share
from rumcli.reproduction.plan import Run
from rumcli.reproduction.table import Table
from rumcli.training.run_folder import RunFolder

FOLDER = Path("reproductions")
TABLE = "table.yaml"
_MARK = "reproduction.json"
# What may be otherwise when a run goes on.
_CHANGEABLE = (("task", "data"),)

FAILED = "failed"
STOPPED = "stopped"  # its time was over


@dataclass(frozen=True)
class Mark:
    """What the command itself did to a run.

    Attributes:
        state: `FAILED` or `STOPPED`.
        message: Why; one line.
        step: At which it was stopped.
        figures: Of the test of a stopped run, which may have failed later.
        seconds: Of training, until then.
    """

    state: str
    message: str = ""
    step: int = 0
    figures: dict[str, Any] | None = None
    seconds: float = 0.0


class TableFolder:
    """The files of a table."""

    def __init__(self, path: Path) -> None:
        self.path = path

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

    def keep(self, table: Table) -> None:
        """Write `table.yaml`; the folder is locked, and is checked again.

        Raises:
            ConfigError: If another process has made something else of the folder since `prepare`.
            RunError: If it can't be written.
        """
        try:
            _check_usable(self.path, table)
            files.remove_unfinished(self.path)
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
            if changed := self.changed(run):
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

    def run_folder(self, run: Run) -> RunFolder:
        """Return the folder of a run, which may not be there yet."""
        return RunFolder(self.path / run.name)

    def begin(self, run: Run) -> RunFolder:
        """Make the folder of a run, or open it for the run to go on."""
        place = self.run_folder(run)
        folders.check_own(place.path, "a table keeps its runs")
        if not (place.path / "config.yaml").exists():
            return RunFolder.create(place.path, run.config)
        found = RunFolder.open(place.path)
        if found.config != run.config:
            found.write_config(run.config)
        mark = self.mark_of(run)
        if mark is not None and mark.state == FAILED:
            if mark.figures:
                self.mark(run, dataclasses.replace(mark, state=STOPPED, message=""))
            else:
                files.remove(place.path / _MARK)
        return found

    def mark(self, run: Run, mark: Mark) -> None:
        """Note that the command ended a run."""
        self.run_folder(run).write_json(_MARK, vars(mark))

    def mark_failed(self, run: Run, message: str) -> None:
        """Note that a run failed; the test of a time when it was stopped stays its figure."""
        before = self.mark_of(run) or Mark(FAILED)
        self.mark(run, dataclasses.replace(before, state=FAILED, message=message))

    def mark_of(self, run: Run) -> Mark | None:
        """Return what was noted of a run; None if nothing was, or it is something else."""
        found = self.run_folder(run).read_json(_MARK)
        if not isinstance(found, dict) or found.get("state") not in (FAILED, STOPPED):
            return None
        step, figures, seconds = (found.get(key) for key in ("step", "figures", "seconds"))
        is_time = type(seconds) in (int, float) and 0 <= seconds < 1e12
        return Mark(
            found["state"],
            str(found.get("message", ""))[:2000],
            step if type(step) is int and step >= 0 else 0,
            figures if isinstance(figures, dict) else None,
            float(seconds) if is_time else 0.0,
        )

    def records(self, run: Run) -> list[dict[str, Any]]:
        """Return the evaluations of a run; none of one that can't be read."""
        try:
            return self.run_folder(run).records()
        except RunError:  # one that can't be read must not hide all the others
            return []

    def share(self, run: Run) -> Share:
        """Return what a run is due, with the time that it had so far."""
        mark, records = self.mark_of(run), self.records(run)
        noted = 0.0 if mark is None else mark.seconds
        return Share(run.cell.share, max(noted, records[-1].get("seconds", 0.0) if records else 0))

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

    def changed(self, run: Run) -> list[str]:
        """Return the keys in which the folder of a run, if it is there, is of another run."""
        place = self.run_folder(run)
        if not (place.path / "config.yaml").exists():
            return []
        keys = config.differences(place.config, run.config)
        return [".".join(key) for key in keys if key not in _CHANGEABLE]


def _check_usable(path: Path, table: Table) -> None:
    """Check that a folder is new, or was made for this table."""
    if not path.exists() or folders.is_unbegun(path, [TABLE]):
        return
    if not (path / TABLE).is_file():
        raise ConfigError(
            f"--out {path}: it exists, and is no folder that 'rum reproduce' made; choose "
            "another place"
        )
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
