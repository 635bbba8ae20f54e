"""Runs of a table in their order, and the command that repeats each one."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rumcli import messages, plugins
from rumcli.config import yaml_io
from rumcli.errors import ConfigError
from rumcli.jobs.events import Job, JobGroup
from rumcli.jobs.spec import MAX_RUNS
from rumcli.reproduction import table as tables
from rumcli.reproduction.table import Table, TableEntry


def groups(
    table: Table, seeds: int, only: Sequence[str] = (), conditions: Sequence[str] = ()
) -> list[JobGroup]:
    """Return the runs of all entries of a table; the selected ones are due.

    Args:
        table: Table to reproduce.
        seeds: Number of seeds.
        only: Labels of rows, or their directory names; empty for all rows except those that the
            table skips.
        conditions: Labels of conditions, or their directory names; empty for all.

    Raises:
        ConfigError: If a row or condition is unknown, or no run is selected.
    """
    rows = {_labelled("--only", "row", label, table.rows) for label in only}
    under = {
        _labelled("--condition", "condition", label, table.spec.conditions) for label in conditions
    }
    selected = [
        entry
        for entry in table.entries
        if (entry.row in rows if rows else entry.skip_reason is None)
        and (not under or entry.condition in under)
    ]
    if not selected:
        raise ConfigError(f"table '{table.name}': no row is run by itself; choose some by --only")
    count = seeds * sum(len(entry.runs) for entry in selected)
    if count > MAX_RUNS:
        raise ConfigError(f"--seeds {seeds}: {count:,} runs are more than {MAX_RUNS:,}")
    return [
        JobGroup(entry, tuple(_jobs(table, entry, seeds, entry in selected)))
        for entry in table.entries
    ]


def due(found: Iterable[JobGroup]) -> list[tuple[TableEntry, Job]]:
    """Return the due runs, ordered so that seed 1 completes the whole table first."""
    runs = [(group.key, job) for group in found for job in group.jobs if job.is_due]
    return sorted(runs, key=lambda one: one[1].seed)


def command(entry: TableEntry, job: Job, folder: Path) -> str:
    """Return the command that repeats a single run.

    Args:
        entry: Table entry of the run.
        job: Run to repeat.
        folder: Directory of the table.
    """
    run = entry.runs[job.part]
    settings = {**entry.settings[job.part], "seed": job.seed}
    preset = [] if entry.preset is None else ["--preset", entry.preset]
    words = ["rum", "train", run.task.name, *preset]
    words += [
        f"--set={key}={yaml_io.dump(value, one_line=True)}" for key, value in settings.items()
    ]
    trust = [plugins.TRUST] if run.code() else []
    return shlex.join([*words, *trust, "--out", str(folder / job.name)])


def _jobs(table: Table, entry: TableEntry, seeds: int, is_due: bool) -> Iterable[Job]:
    average = table.spec.average
    for seed in range(1, seeds + 1):
        for part, run in enumerate(entry.runs):
            words = [entry.slug]
            if average is not None:
                words.append(f"{tables.slug(average.over.rpartition('.')[2])}-{part + 1}")
            yield Job(
                "-".join([*words, f"seed-{seed}"]),
                seed,
                run.model_copy(update={"seed": seed}),
                part=part,
                budget_weight=entry.budget_weight,
                is_due=is_due,
            )


def _labelled(option: str, kind: str, label: str, known: Collection[str]) -> str:
    """Return the known label that matches a label or directory name."""
    for one in known:
        if label == one or tables.slug(label) == tables.slug(one):
            return one
    if not known:
        raise ConfigError(
            f"{option} {messages.clipped(label)}: the table has no {messages.plural(kind)}"
        )
    # Labels contain commas and Greek letters, which directory names do not.
    unknown = messages.unknown(kind, tables.slug(label) or label, map(tables.slug, known))
    raise ConfigError(f"{option} {messages.clipped(label)}: {unknown}")
