"""Provenance of the runs of a table, from the environment recorded by each run."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rumcli import atomic_io
from rumcli.jobs.events import Job
from rumcli.jobs.folder import JobFolder
from rumcli.json_schemas.job_sets import Provenance, RunMachine

_VERSIONS = ("rum", "python", "keras", "numpy")
_MAX_LENGTH = 500  # characters of text from files that may be untrusted


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


def of(folder: JobFolder, jobs: Iterable[Job]) -> Provenance:
    """Return the commands of runs in order, and the machines with their versions.

    A resumed run has several. Invalid records are omitted.
    """
    noted = [_parts(folder.run_folder(job).read_json("environment.json")) for job in jobs]
    rounds = [part for at_once in itertools.zip_longest(*noted) for part in at_once if part]
    return Provenance(
        commands=_distinct(part.line for part in rounds),
        machines=_distinct(part.machine for part in rounds),
    )


def _parts(environment: Any) -> list[_Environment]:
    resumed = environment.get("resumed") if isinstance(environment, dict) else None
    found = []
    for part in [environment, *(resumed if isinstance(resumed, list) else [])]:
        try:
            found.append(_Environment.model_validate(part))
        except ValidationError:
            continue
    return found


def _clean(text: str) -> str:
    text = atomic_io.readable(text)
    return "".join(letter for letter in text if letter.isprintable())[:_MAX_LENGTH]


def _distinct(found: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for one in found:
        if one is not None and one not in kept:
            kept.append(one)
    return kept
