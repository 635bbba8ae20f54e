"""Results of a table, computed from its run directories.

The value of a run is its test metric with the weights of its best validation.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from rumcli.jobs import results as job_results
from rumcli.jobs.events import FAILED, FINISHED, JobGroup
from rumcli.jobs.folder import JobFolder, finite
from rumcli.jobs.results import GroupResult, JobResult, Measure, SetResults, statistics_of
from rumcli.json_schemas.job_sets import EntryResult, EntryRun, Provenance, TableReport
from rumcli.reproduction import provenance
from rumcli.reproduction.table import Table


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
        return provenance.of(self.folder, jobs)

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


def read(table: Table, folder: JobFolder, groups: Iterable[JobGroup], seeds: int) -> TableResults:
    """Read the results of a table.

    Args:
        table: Table to read the results of.
        folder: Directory of the table.
        groups: Runs of the entries.
        seeds: Number of seeds.
    """
    found = job_results.read(folder, groups, measure(table))
    planned = sum(one.job.is_due for group in found for one in group.runs)
    return TableResults(folder, found, planned, table, seeds)


def measure(table: Table) -> Measure:
    """Return a function that adds the value of a run to its result, in the unit of the table."""
    name, factor = table.spec.metric, 100.0 if table.spec.unit == "percent" else 1.0

    def measured(found: JobResult) -> JobResult:
        if not found.metrics:
            return found
        value = finite(found.metrics.get(name))
        if value is None:
            problem = "its test has no finite" if name in found.metrics else "its test has no"
            return replace(found, state=FAILED, message=f"{problem} '{name}'")
        return replace(found, value=factor * value)

    return measured


def reached_threshold(found: JobResult) -> bool:
    """Return whether a run stopped because a validation met its threshold."""
    return found.state == FINISHED and bool((found.metrics or {}).get("reached"))


def data_of(found: JobResult) -> str:
    """Return the origin of a run's text or stories; empty if it has none."""
    return str((found.metrics or {}).get("data") or "")


def planned_steps(found: JobResult) -> int:
    """Return the number of training steps of the whole run."""
    assert found.job.config is not None
    return found.job.config.train.steps


def _entry(found: GroupResult) -> EntryResult:
    return EntryResult(
        row=found.key.row,
        condition=found.key.condition or None,
        published=found.key.published,
        skip_reason=found.key.skip_reason,
        ours=statistics_of(found.values),
        whole=found.has_all_parts,
        runs=[
            EntryRun(
                **one.fields,
                part=one.job.part + 1,
                of_steps=planned_steps(one),
                reached=reached_threshold(one),
                value=one.value,
                data=data_of(one) or None,
            )
            for one in found.runs
        ],
    )
