"""The folder of a sweep, from which it is shown and gone on with: readable without this code.

`sweep.yaml` (the description), `base.yaml` (the configuration that the points change),
`points.jsonl` (the points as they were drawn), a run folder `point-N-seed-S` for each run (see
`jobs.folder`), and at the end `results.json`.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rumcli import config, files, folders, json_parser
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.jobs.folder import JobFolder, refuse_earlier
from rumcli.sweeps import plan as plans
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.points import Settings
from rumcli.training import lock

SWEEPS = Path("sweeps")
_LARGEST = 2**26  # bytes of a file of ours
_DESCRIBING = ("base.yaml", "sweep.yaml")  # in the order in which they are written


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        point: Number of its point, from 1.
        seed: Its seed.
        settings: What its point sets, by key path.
    """

    point: int
    seed: int
    settings: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"point-{self.point}-seed-{self.seed}"

    @property
    def budget_weight(self) -> float:
        """The runs of a sweep have equal parts of a budget."""
        return 1.0


class SweepFolder(JobFolder):
    """The files of a sweep."""

    @classmethod
    @contextlib.contextmanager
    def claim(cls, path: Path | None, stem: str, plan: Plan) -> Iterator[SweepFolder]:
        """Create the folder of a new sweep and keep other processes out of it during the block.

        If the block raises a ConfigError before it has drawn or run anything, the folder is
        removed.

        Args:
            path: Directory to create; it may be there if it is empty or not begun. None:
                `sweeps/STEM-1`, or the next free number.
            stem: What the sweep is called.
            plan: What it is.

        Raises:
            ConfigError: If something is there already, or the place can't be written.
            RunError: If another process has it.
        """
        stem = re.sub(r"[^\w.-]", "-", stem) or "sweep"
        with contextlib.ExitStack() as stack:
            try:
                folder = cls(stack.enter_context(lock.claimed(path, SWEEPS, stem, _DESCRIBING)))
                files.write_text(folder.path / "base.yaml", config.to_yaml(plan.base))
                folder.write_description(plan)
            except OSError as error:
                raise ConfigError(files.cannot_write(path or SWEEPS, error)) from error
            yield folder

    @staticmethod
    def is_unbegun(path: Path) -> bool:
        """Tell whether a directory has only the leftovers of a sweep that was being created."""
        try:
            return any(path.iterdir()) and folders.is_unbegun(path, _DESCRIBING)
        except OSError:
            return False

    @classmethod
    def open(cls, path: Path) -> SweepFolder:
        """Open the folder of an earlier sweep.

        Raises:
            ConfigError: If it is missing, or not of a sweep.
        """
        if not path.is_dir():
            raise ConfigError(f"there is no folder {path}; expected one that 'rum sweep' made")
        if cls.is_unbegun(path):
            raise ConfigError(
                f"{path} has no sweep.yaml: the process that created it ended before the sweep "
                f"began; start it there: rum sweep FILE --out {shlex.quote(str(path))}"
            )
        for name in _DESCRIBING:
            if not (path / name).is_file():
                raise ConfigError(f"{path} has no {name}; expected a folder that 'rum sweep' made")
        refuse_earlier(path, "rum sweep")
        return cls(path)

    @property
    def base(self) -> RunConfig:
        """The configuration that the points change."""
        return config.from_file(self.path / "base.yaml")

    def plan(self, runs: int | None = None, seeds: int | None = None) -> Plan:
        """Return the sweep as its files describe it, with another limit or number of seeds."""
        return plans.read(self.path / "sweep.yaml", runs, self.base, seeds)

    def write_description(self, plan: Plan) -> None:
        """Write `sweep.yaml`."""
        files.write_text(self.path / "sweep.yaml", plans.to_yaml(plan.description))

    def points(self) -> list[Settings]:
        """Return the points drawn so far; a line that was cut off is none.

        Raises:
            RunError: If the file can't be read.
        """
        path = self.path / "points.jsonl"
        try:
            lines = files.read_regular(path, _LARGEST).splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"can't read {path}: {error.strerror or error}") from error
        found = []
        for line in lines:
            try:
                point = json_parser.parse(line, allow_nan=True)
            except ValueError:
                break
            if not isinstance(point, dict):
                break
            found.append(point)
        return found

    def write_points(self, points: list[Settings]) -> None:
        """Write `points.jsonl`."""
        lines = "".join(json.dumps(point) + "\n" for point in points)
        files.write_text(self.path / "points.jsonl", lines)
