"""`rum reproduce`: the runs of a published table, and ours beside its figures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import code, job_sets, options
from rumcli.cli.showing import Showing
from rumcli.errors import ConfigError
from rumcli.reporting import output, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rumcli.jobs.execution import Ending, Options
    from rumcli.reproduction.folder import Chosen, TableFolder
    from rumcli.reproduction.plan import Run
    from rumcli.reproduction.results import Results
    from rumcli.reproduction.table import Table


def reproduce(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="copying, recall, recall_lengths, babi, babi_equal, ptb, or a YAML file of yours. "
            "May be left out with --resume.",
            autocompletion=options.completing(options.tables),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the runs; what is there is continued. Default: reproductions/TABLE."
        ),
    ] = None,
    resume: job_sets.Resume = None,
    seeds: Annotated[
        int | None, options.integer("Runs of each model, with seeds 1, 2, … Default: the table's.")
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
    budget: job_sets.Budget = None,
    jobs: job_sets.Jobs = None,
    address: job_sets.Address = None,
    trust_code: code.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs with their commands and stop.")
    ] = False,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Run the models of a published table, and show our figures beside those of the paper.

    Ctrl-C saves all runs and prints the command that continues.
    """
    from rumcli.jobs import execution
    from rumcli.reproduction import plan
    from rumcli.reproduction.folder import Chosen

    where = job_sets.parse(jobs, address, budget, seeds, debug)
    chosen = Chosen(table=table, seeds=seeds, only=only or [], condition=condition or [], data=data)
    if resume is not None:
        job_sets.exclude("--resume", out=out)
        chosen = _continued(resume, chosen)
    elif table is None:
        raise ConfigError("which table? Give a TABLE, or --resume with the folder of one")
    read = _read(chosen, resume if table is None else None)
    chosen = chosen.kept_for(read)
    count = chosen.seeds or read.description.seeds
    runs = plan.runs(read, count, chosen.only, chosen.condition)
    place = resume or out or _default(read)
    if dry_run:
        _show_plan(read, runs, place, as_json)
        return
    showing = Showing(as_json, quiet, debug)
    execution.check(where)
    folder = _prepare(read, runs, place, trust_code)
    command = job_sets.command("reproduce", place, where, budget, trust_code)
    ending, found, done = _run(read, runs, folder, chosen, where, command, showing)
    job_sets.tell(ending, done, len(runs), command, showing)
    if not showing.quiet:
        output.note(f"wrote {folder.path / 'results.md'}")
    _show(found, showing)
    job_sets.end(ending, found.failures)


def _default(table: Table) -> Path:
    from rumcli.reproduction.folder import FOLDER

    return FOLDER / table.name


def _continued(place: Path, chosen: Chosen) -> Chosen:
    """Return the options of the earlier command in a folder, changed by those that were given."""
    from rumcli.reproduction.folder import TableFolder

    given = {key: value for key, value in chosen if value}
    return TableFolder.open(place).chosen.model_copy(update=given)


def _read(chosen: Chosen, place: Path | None) -> Table:
    """Read the table, as a folder has it if it was not named."""
    from rumcli.reproduction import table as tables
    from rumcli.reproduction.folder import TABLE

    if place is None:
        assert chosen.table is not None
        return tables.read(chosen.table, chosen.data)
    read = tables.read(str(place / TABLE), chosen.data)
    return dataclasses.replace(read, name=chosen.table or place.name)


def _prepare(table: Table, runs: Sequence[Run], place: Path, trusted: bool) -> TableFolder:
    """Check what the runs need, and make or open the folder."""
    from rumcli.reproduction.folder import TableFolder
    from rumcli.training import material

    all_runs = (run for cell in table.cells for run in cell.runs)
    job_sets.check_runs(all_runs, (run.config for run in runs), trusted)
    folder = TableFolder.prepare(place, table)
    folder.check(runs)
    for same in folder.with_other_data(runs):
        material.check_going_on(same[0].config, map(folder.run_folder, same))
    return folder


def _run(
    table: Table,
    runs: Sequence[Run],
    folder: TableFolder,
    chosen: Chosen,
    where: Options,
    command: str,
    showing: Showing,
) -> tuple[Ending, Results, int]:
    """Run what is left; return the end, the results and the number of finished runs."""
    from rumcli.jobs.execution import Ending, Resources
    from rumcli.reporting.sweep_progress import Kind
    from rumcli.reproduction import results
    from rumcli.reproduction.queue import Queue
    from rumcli.training import lock

    ending, described = Ending(), table.description
    with lock.held(folder.path):
        folder.keep(table, chosen)
        queue = Queue(folder, runs)
        if queue.done_before < queue.planned:
            kind = Kind(f"table {table.name}", ranks=False, seconds=where.budget)
            listener = job_sets.listener(kind, showing)
            resources = Resources(described.cores_per_run, described.gpus_per_run)
            ending = job_sets.run(folder, queue, resources, where, listener, command)
        found = results.read(table, folder, chosen.seeds or described.seeds, runs)
        _write(found, folder)
        done = Queue(folder, runs).done_before
    return ending, found, done


def _write(found: Results, folder: TableFolder) -> None:
    from rumcli import documents
    from rumcli.reporting import reproduction

    document = {"schema": documents.schema("reproduce"), **found.to_json()}
    folder.write(document, reproduction.markdown(found))


def _show(found: Results, showing: Showing) -> None:
    from rumcli.reporting.reproduction import ReproductionTable

    if showing.as_json:
        output.show_json("reproduce", found.to_json())
    elif not showing.quiet:
        output.show(ReproductionTable(found))


def _show_plan(table: Table, runs: Sequence[Run], place: Path, as_json: bool) -> None:
    commands = [run.command(place) for run in runs]
    if as_json:
        listed = [
            {
                "row": run.cell.row,
                "condition": run.cell.condition or None,
                "part": run.part + 1,
                "seed": run.seed,
                "steps": run.config.train.steps,
                "folder": str(place / run.name),
                "command": command,
            }
            for run, command in zip(runs, commands, strict=True)
        ]
        output.show_json("reproduce-dry-run", {"table": table.name, "runs": listed})
    else:
        output.show_text("\n".join(commands))
        output.note(f"{wording.counted(len(runs), 'run')} of table {table.name}, in this order")
