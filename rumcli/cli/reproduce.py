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

    from rumcli.jobs.execution import Ending, JobOptions
    from rumcli.jobs.job_spec import JobGroup
    from rumcli.reproduction.table_results import TableFolder, TableOptions, TableResults
    from rumcli.reproduction.table_spec import Table


def reproduce(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help=f"{', '.join(_options.tables())}, or a YAML file. Optional with --resume.",
            autocompletion=_options.completing(_options.tables),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the runs, continued if it exists. Default: reproductions/TABLE."
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
            help="Run only this row of the table, even if it has a skip_reason: its name, or the "
            "form used in directory names, rum-lambda-1-eta-2. May be repeated.",
        ),
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run only this condition: 'T = 200' or t-200. May be repeated.",
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
    quiet: _options.Quiet = False,
    debug: _options.Debug = False,
) -> None:
    """Run the models of a published table, and compare our results with those of the paper.

    Ctrl-C saves all runs and prints the command that continues.
    """
    from rumcli.jobs import execution
    from rumcli.reporting import job_set_tables as reporting
    from rumcli.reproduction import table_spec
    from rumcli.reproduction.table_results import FOLDER, TableOptions

    output = OutputMode(as_json, quiet, debug)
    job_options = _job_sets.parse(jobs, address, budget, seeds, debug)
    options = TableOptions(
        table=table, seeds=seeds, only=only or [], condition=condition or [], data=data
    )
    if resume is not None:
        _job_sets.exclude("--resume", out=out)
        options = _continued(resume, options)
    elif table is None:
        raise ConfigError(
            "which table? Expected a TABLE, or --resume with the directory of a reproduction"
        )
    loaded = _read(options, resume if table is None else None)
    options = options.stored_for(loaded)
    groups = table_spec.job_groups(
        loaded, options.seeds or loaded.spec.seeds, options.only, options.condition
    )
    path = resume or out or FOLDER / loaded.name
    if dry_run:
        _show_plan(loaded, groups, path, output)
        return
    execution.check(job_options)
    directory = _prepare(loaded, groups, path, trust_code)
    command = _job_sets.command("reproduce", path, job_options, budget, trust_code)
    ending, results = _run(loaded, groups, directory, options, job_options, command, output)
    _job_sets.summarize(ending, results, command, output)
    if not output.quiet:
        console.note(f"wrote {directory.path / 'results.md'}")
    output.show(results.document, lambda _: reporting.results_table(results))
    _job_sets.end(ending, results)


def _continued(path: Path, options: TableOptions) -> TableOptions:
    """Return the options stored in a directory, updated with those given."""
    from rumcli.reproduction.table_results import TableFolder

    given = {key: value for key, value in options if value}
    return TableFolder.open(path).options.model_copy(update=given)


def _read(options: TableOptions, path: Path | None) -> Table:
    """Read the named table, or that of the directory."""
    from rumcli.reproduction import table_spec as tables
    from rumcli.reproduction.table_results import TABLE

    if path is None:
        assert options.table is not None
        return tables.read_table(options.table, options.data)
    read = tables.read_table(str(path / TABLE), options.data)
    return dataclasses.replace(read, name=options.table or path.name)


def _prepare(table: Table, groups: Sequence[JobGroup], path: Path, trusted: bool) -> TableFolder:
    """Check the code and the data, and create or open the directory."""
    from rumcli.reproduction import table_spec
    from rumcli.reproduction.table_results import TableFolder
    from rumcli.training import dataset_binding

    all_runs = (run for entry in table.entries for run in entry.runs)
    due = [job for _, job in table_spec.due_groups(groups)]
    _job_sets.check_runs(all_runs, (job.config for job in due if job.config), trusted)
    directory = TableFolder.prepare(path, table)
    directory.check(due)
    for run, jobs in directory.with_changed_data(due):
        dataset_binding.check_same_dataset(run, map(directory.run_dir, jobs))
    return directory


def _run(
    table: Table,
    groups: Sequence[JobGroup],
    directory: TableFolder,
    options: TableOptions,
    job_options: JobOptions,
    command: str,
    output: OutputMode,
) -> tuple[Ending, TableResults]:
    """Run the remaining runs, and write the results."""
    from rumcli.jobs.engine import JobSource
    from rumcli.jobs.execution import JobSet
    from rumcli.jobs.job_spec import JobGroup
    from rumcli.reporting import job_set_tables as reporting
    from rumcli.reporting.job_progress import Title
    from rumcli.reproduction import table_results, table_spec
    from rumcli.training import lock

    with lock.held(directory.path):
        directory.describe(table, options)
        source = JobSource([JobGroup(None, tuple(job for _, job in table_spec.due_groups(groups)))])
        title = Title(f"table {table.name}", ranks=False, seconds=job_options.budget)
        jobs = JobSet(directory, source, table.spec.resources)
        ending = _job_sets.run(jobs, job_options, title, command, output)
        results = table_results.read_results(
            table, directory, groups, options.seeds or table.spec.seeds
        )
        results.write()
        directory.write("results.md", reporting.markdown(results))
    return ending, results


def _show_plan(table: Table, groups: Sequence[JobGroup], path: Path, output: OutputMode) -> None:
    from rumcli.json_schemas.results import PlannedRun, TableDryRun
    from rumcli.reproduction import table_spec

    due = table_spec.due_groups(groups)
    commands = [table_spec.run_command(entry, job, path) for entry, job in due]
    if output.as_json:
        listed = [
            PlannedRun(
                row=entry.row,
                condition=entry.condition or None,
                part=job.part + 1,
                seed=job.seed,
                steps=entry.runs[job.part].train.steps,
                folder=str(path / job.name),
                command=command,
            )
            for (entry, job), command in zip(due, commands, strict=True)
        ]
        console.show_document(TableDryRun(table=table.name, runs=listed))
    else:
        console.show_text("\n".join(commands))
        console.note(f"{formatting.counted(len(due), 'run')} of table {table.name}, in this order")
