"""Directory of a sweep, readable without this code.

`sweep.yaml` is the specification, `base.yaml` the base configuration, and `points.jsonl` lists the
points in the order in which they were drawn. Each run has a run directory `point-N-seed-S` (see
`jobs.folder`), and `results.json` is written at the end.
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
    """Files of a sweep."""

    command = "rum sweep"
    described_by = ("base.yaml", "sweep.yaml")

    @classmethod
    @contextlib.contextmanager
    def claim(cls, path: Path | None, stem: str, plan: SweepPlan) -> Iterator[Self]:
        """Create the directory of a new sweep and lock it for the duration of the block.

        If the block raises a ConfigError before it has drawn a point or started a run, the
        directory is removed.

        Args:
            path: Directory to create; an existing one must be empty or left from an interrupted
                creation. None selects `sweeps/STEM-1`, or the next free number.
            stem: Name of the sweep.
            plan: Plan of the sweep.

        Raises:
            ConfigError: If the path is in use or cannot be written.
            RunError: If another process has locked it.
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
        """Base configuration, to which the points are applied."""
        return config.from_file(self.path / "base.yaml")

    def plan(self, runs: int | None = None, seeds: int | None = None) -> SweepPlan:
        """Return the plan in the directory, with an optional new limit or number of seeds."""
        return plans.read(self.path / "sweep.yaml", runs, self.base, seeds)

    def write_spec(self, plan: SweepPlan) -> None:
        """Write `sweep.yaml`."""
        atomic_io.write_text(self.path / "sweep.yaml", plans.to_yaml(plan.spec))

    def points(self) -> list[Settings]:
        """Return the points drawn so far, up to a truncated line.

        Raises:
            RunError: If the file cannot be read.
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
