"""`rum reproduce`: run a published table, and compare the results."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _job_sets, _options, _run_arguments
from rumcli.cli._options import OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console, formatting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rumcli.jobs.execution import Ending, Options
    from rumcli.jobs.job_spec import JobGroup
    from rumcli.reproduction.table_results import TableFolder, TableOptions, TableResults
    from rumcli.reproduction.table_spec import Table


def reproduce(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="copying, recall, recall_lengths, babi, babi_equal, ptb, or a YAML file of yours. "
            "May be left out with --resume.",
            autocompletion=_options.completing(_options.tables),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the runs, continued if it exists. Default: reproductions/TABLE."
        ),
    ] = None,
    resume: _job_sets.Resume = None,
    seeds: Annotated[
        int | None, _options.integer("Runs of each model, with seeds 1, 2, … Default: the table's.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROW",
            help="Run this row of the table alone, also one that is not run by itself: its name, "
            "or as in names of folders, rum-lambda-1-eta-2. May be repeated.",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run the rows under this condition alone: 'T = 200' or t-200. May be repeated.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Text of ptb, or stories of babi, as for 'rum train'."),
    ] = None,
    budget: _job_sets.Budget = None,
    jobs: _job_sets.Jobs = None,
    address: _job_sets.Address = None,
    trust_code: _run_arguments.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs with their commands and stop.")
    ] = False,
    as_json: _options.Json = False,
    quiet: _job_sets.Quiet = False,
    debug: _options.Debug = False,
) -> None:
    """Run the models of a published table, and compare our results with those of the paper.

    Ctrl-C saves all runs and prints the command that continues.
    """
    from rumcli.jobs import execution
    from rumcli.reporting import job_set_tables as reporting
    from rumcli.reproduction import table_spec
    from rumcli.reproduction.table_results import FOLDER, TableOptions

    showing = OutputMode(as_json, quiet, debug)
    where = _job_sets.parse(jobs, address, budget, seeds, debug)
    chosen = TableOptions(
        table=table, seeds=seeds, only=only or [], condition=condition or [], data=data
    )
    if resume is not None:
        _job_sets.exclude("--resume", out=out)
        chosen = _continued(resume, chosen)
    elif table is None:
        raise ConfigError("which table? Give a TABLE, or --resume with the folder of one")
    read = _read(chosen, resume if table is None else None)
    chosen = chosen.kept_for(read)
    groups = table_spec.job_groups(
        read, chosen.seeds or read.spec.seeds, chosen.only, chosen.condition
    )
    place = resume or out or FOLDER / read.name
    if dry_run:
        _show_plan(read, groups, place, showing)
        return
    execution.check(where)
    folder = _prepare(read, groups, place, trust_code)
    command = _job_sets.command("reproduce", place, where, budget, trust_code)
    ending, found = _run(read, groups, folder, chosen, where, command, showing)
    _job_sets.summarize(ending, found, command, showing)
    if not showing.quiet:
        console.note(f"wrote {folder.path / 'results.md'}")
    showing.show(found.document, lambda _: reporting.results_table(found))
    _job_sets.end(ending, found)


def _continued(place: Path, chosen: TableOptions) -> TableOptions:
    """Return the options stored in a directory, updated with those given."""
    from rumcli.reproduction.table_results import TableFolder

    given = {key: value for key, value in chosen if value}
    return TableFolder.open(place).options.model_copy(update=given)


def _read(chosen: TableOptions, place: Path | None) -> Table:
    """Read the named table, or that of the directory."""
    from rumcli.reproduction import table_spec as tables
    from rumcli.reproduction.table_results import TABLE

    if place is None:
        assert chosen.table is not None
        return tables.read_table(chosen.table, chosen.data)
    read = tables.read_table(str(place / TABLE), chosen.data)
    return dataclasses.replace(read, name=chosen.table or place.name)


def _prepare(table: Table, groups: Sequence[JobGroup], place: Path, trusted: bool) -> TableFolder:
    """Check the code and the data, and create or open the directory."""
    from rumcli.reproduction import table_spec
    from rumcli.reproduction.table_results import TableFolder
    from rumcli.training import dataset_binding

    all_runs = (run for entry in table.entries for run in entry.runs)
    due = [job for _, job in table_spec.due_groups(groups)]
    _job_sets.check_runs(all_runs, (job.config for job in due if job.config), trusted)
    folder = TableFolder.prepare(place, table)
    folder.check(due)
    for run, jobs in folder.with_other_data(due):
        dataset_binding.check_same_dataset(run, map(folder.run_folder, jobs))
    return folder


def _run(
    table: Table,
    groups: Sequence[JobGroup],
    folder: TableFolder,
    chosen: TableOptions,
    where: Options,
    command: str,
    showing: OutputMode,
) -> tuple[Ending, TableResults]:
    """Run the remaining runs, and write the results."""
    from rumcli.jobs.engine import JobSource
    from rumcli.jobs.execution import JobSet
    from rumcli.jobs.job_spec import JobGroup
    from rumcli.reporting import job_set_tables as reporting
    from rumcli.reporting.job_progress import Title
    from rumcli.reproduction import table_results, table_spec
    from rumcli.training import lock

    with lock.held(folder.path):
        folder.describe(table, chosen)
        source = JobSource([JobGroup(None, tuple(job for _, job in table_spec.due_groups(groups)))])
        title = Title(f"table {table.name}", ranks=False, seconds=where.budget)
        jobs = JobSet(folder, source, table.spec.resources)
        ending = _job_sets.run(jobs, where, title, command, showing)
        found = table_results.read_results(table, folder, groups, chosen.seeds or table.spec.seeds)
        found.write()
        folder.write("results.md", reporting.markdown(found))
    return ending, found


def _show_plan(table: Table, groups: Sequence[JobGroup], place: Path, showing: OutputMode) -> None:
    from rumcli.json_schemas.results import PlannedRun, TableDryRun
    from rumcli.reproduction import table_spec

    due = table_spec.due_groups(groups)
    commands = [table_spec.run_command(entry, job, place) for entry, job in due]
    if showing.as_json:
        listed = [
            PlannedRun(
                row=entry.row,
                condition=entry.condition or None,
                part=job.part + 1,
                seed=job.seed,
                steps=entry.runs[job.part].train.steps,
                folder=str(place / job.name),
                command=command,
            )
            for (entry, job), command in zip(due, commands, strict=True)
        ]
        console.show_document(TableDryRun(table=table.name, runs=listed))
    else:
        console.show_text("\n".join(commands))
        console.note(f"{formatting.counted(len(due), 'run')} of table {table.name}, in this order")
