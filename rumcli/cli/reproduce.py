"""`rum reproduce`: the runs of a published table, and ours beside its figures."""

from __future__ import annotations

import functools
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import own_code
from rumcli.cli import code, engine, options
from rumcli.cli.showing import Showing
from rumcli.errors import RunError
from rumcli.reporting import output, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rumcli.config import RunConfig
    from rumcli.reproduction.folder import TableFolder
    from rumcli.reproduction.plan import Run
    from rumcli.reproduction.results import Results
    from rumcli.reproduction.table import Table
    from rumcli.training.stopping import StopRequest


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="copying, recall, recall_lengths, babi, babi_equal, ptb, or a YAML file of yours.",
            autocompletion=options.completing(options.tables),
        ),
    ],
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time for all, as in 30m or 2h, shared out among the runs; what is not done then "
            "is saved and tested. Default: until all are done.",
        ),
    ] = None,
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
    jobs: Annotated[
        int | None, options.integer("Runs at the same time. Default: one for each core.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the runs; what is there is gone on with. Default: reproductions/TABLE."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Text of ptb, or stories of babi, as for 'rum train'."),
    ] = None,
    trust_code: code.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs with their commands and stop.")
    ] = False,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Run the models of a published table, and show our figures beside those of the paper.

    The same command again goes on with what is not finished. Ctrl-C saves all runs.
    """
    from rumcli.reproduction import budget as budgets
    from rumcli.reproduction import plan
    from rumcli.reproduction import table as tables

    seconds = None if budget is None else budgets.parse(budget)
    for flag, number in (("--seeds", seeds), ("--jobs", jobs)):
        if number is not None:
            options.at_least(flag, 1, number)
    read = tables.read(table, data)
    count = seeds or read.description.seeds
    runs = plan.runs(read, count, only or [], condition or [])
    place = out or _default(read)
    if dry_run:
        _show_plan(read, runs, place, as_json)
        return
    chosen = {"--seeds": seeds, "--jobs": jobs, "--budget": budget, "--data": data, "--out": out}
    repeated = {"--only": only or [], "--condition": condition or []}
    command = _command(table, chosen, repeated, trust_code)
    showing = Showing(as_json, quiet, debug)
    folder = _prepare(read, runs, place, trust_code)
    _run(read, runs, folder, count, seconds, jobs, command, showing)


def _default(table: Table) -> Path:
    from rumcli.reproduction.folder import FOLDER

    return FOLDER / table.name


def _command(
    table: str, chosen: dict[str, Any], repeated: dict[str, list[str]], trusted: bool
) -> str:
    words = ["rum", "reproduce", table]
    for flag, value in chosen.items():
        if value is not None:
            words += [flag, str(value)]
    for flag, values in repeated.items():
        words += [word for value in values for word in (flag, value)]
    if trusted:
        words.append(own_code.TRUST)
    return shlex.join(words)


def _prepare(table: Table, runs: Sequence[Run], place: Path, trusted: bool) -> TableFolder:
    """Check what the runs need, and make or open the folder."""
    from rumcli.reproduction.folder import TableFolder
    from rumcli.training import material

    for cell in table.cells:
        for run in cell.runs:
            code.check(run, trusted)
    checked = set()
    for run in runs:  # a text or stories that are missing are told of before anything starts
        task = run.config.task
        has_data = task.name == "ptb" or getattr(task, "data", None) is not None
        if has_data and repr(task) not in checked:
            checked.add(repr(task))
            material.for_training(run.config, None)
    folder = TableFolder.prepare(place, table)
    folder.check(runs)
    for same in folder.with_other_data(runs):
        material.check_going_on(same[0].config, map(folder.run_folder, same))
    return folder


def _run(
    table: Table,
    runs: Sequence[Run],
    folder: TableFolder,
    seeds: int,
    seconds: float | None,
    jobs: int | None,
    command: str,
    showing: Showing,
) -> None:
    from rumcli import machine
    from rumcli.reproduction import results, runner
    from rumcli.training import lock, stopping

    found = machine.cores()
    cores = max(1, int(min(found["usable"] or 1, found["quota"] or float("inf"))))
    with lock.held(folder.path), stopping.listening(stopping.MANY_RUNS) as request:
        folder.keep(table)
        left = runner.left(folder, runs)
        slots = min(jobs or cores, max(1, len(left)))
        if left:
            _work(table, runs, left, folder, seconds, slots, cores, request, showing)
        came = results.read(table, folder, seeds, runs)
        _write(came, folder)
    _tell(came, runner.left(folder, runs), command, request.signal, showing)
    _show(came, showing)
    if request.signal is not None:
        raise SystemExit(128 + request.signal)
    if failed := came.failures:
        count = wording.counted(len(failed), "run")
        raise RunError(f"{count} failed; {failed[0].run.name}: {failed[0].message}")


def _work(
    table: Table,
    runs: Sequence[Run],
    left: Sequence[Run],
    folder: TableFolder,
    seconds: float | None,
    slots: int,
    cores: int,
    request: StopRequest,
    showing: Showing,
) -> None:
    """Run what is left, and show how it goes on."""
    from rumcli.reporting import sweep_progress
    from rumcli.reproduction import runner
    from rumcli.reproduction.budget import Budget

    kind = sweep_progress.Kind(f"table {table.name}", ranks=False, seconds=seconds)
    listener = sweep_progress.listener(output.stderr(), showing.quiet, output.is_live(), kind)
    start = functools.partial(_start, showing.debug)
    launch = runner.launching(start, max(1, cores // slots), showing.debug)
    budget = None if seconds is None else Budget.of(seconds, time.monotonic(), slots)
    listener.started(str(folder.path), len(runs), len(runs) - len(left), slots)
    try:
        runner.Runner(folder, left, launch, slots, budget, listener, request).run()
    finally:
        listener.finished()


def _start(debug: bool, run: RunConfig) -> None:
    """Bring up Keras, and the user's code, in the process of a run."""
    engine.start(debug, quiet=True)
    code.admit(run)


def _write(found: Results, folder: TableFolder) -> None:
    from rumcli import documents
    from rumcli.reporting import reproduction

    document = {"schema": documents.schema("reproduce"), **found.to_json()}
    folder.write(document, reproduction.markdown(found))


def _tell(
    found: Results, left: Sequence[Run], command: str, signal: int | None, showing: Showing
) -> None:
    """Say what is left, and how to go on with it."""
    if signal is not None or (left and not showing.quiet):
        why = "stopped; " if signal is not None else ""
        output.note(f"{why}{wording.counted(len(left), 'run')} not finished; to go on: {command}")
    if not showing.quiet:
        output.note(f"wrote {found.folder.path / 'results.md'}")


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
