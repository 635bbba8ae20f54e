"""The directory of a sweep, from which it is shown and resumed: readable without this code.

`sweep.yaml` (the specification), `base.yaml` (the configuration that the points change),
`points.jsonl` (the points as they were drawn), a run directory `point-N-seed-S` for each run (see
`jobs.folder`), and at the end `results.json`.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from rumcli import atomic_io, config, json_parser
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.jobs.folder import JobFolder
from rumcli.jobs.spec import Settings
from rumcli.sweeps import plan as plans
from rumcli.sweeps.plan import SweepPlan
from rumcli.training import lock, run_schemas

SWEEPS = Path("sweeps")


class SweepFolder(JobFolder):
    """The files of a sweep."""

    command = "rum sweep"
    described_by = ("base.yaml", "sweep.yaml")

    @classmethod
    @contextlib.contextmanager
    def claim(cls, path: Path | None, stem: str, plan: SweepPlan) -> Iterator[Self]:
        """Create the directory of a new sweep and lock it during the block.

        If the block raises a ConfigError before it has drawn or run anything, the directory is
        removed.

        Args:
            path: Directory to create; it may exist if it is empty or not begun. None:
                `sweeps/STEM-1`, or the next free number.
            stem: Name of the sweep.
            plan: The sweep.

        Raises:
            ConfigError: If something is there already, or the place can't be written.
            RunError: If another process has it.
        """
        stem = re.sub(r"[^\w.-]", "-", stem) or "sweep"
        with contextlib.ExitStack() as stack:
            try:
                place = stack.enter_context(lock.claimed(path, SWEEPS, stem, cls.described_by))
                folder = cls(place)
                atomic_io.write_text(place / "base.yaml", config.to_yaml(plan.base))
                folder.write_spec(plan)
            except OSError as error:
                raise ConfigError(atomic_io.cannot_write(path or SWEEPS, error)) from error
            yield folder

    @property
    def base(self) -> RunConfig:
        """The configuration that the points change."""
        return config.from_file(self.path / "base.yaml")

    def plan(self, runs: int | None = None, seeds: int | None = None) -> SweepPlan:
        """Return the sweep of the files, with another limit or number of seeds."""
        return plans.read(self.path / "sweep.yaml", runs, self.base, seeds)

    def write_spec(self, plan: SweepPlan) -> None:
        """Write `sweep.yaml`."""
        atomic_io.write_text(self.path / "sweep.yaml", plans.to_yaml(plan.spec))

    def points(self) -> list[Settings]:
        """Return the points drawn so far, up to a line that was cut off.

        Raises:
            RunError: If the file can't be read.
        """
        path = self.path / "points.jsonl"
        try:
            lines = atomic_io.read_regular(path, run_schemas.LARGEST).splitlines()
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
        atomic_io.write_text(self.path / "points.jsonl", lines)
