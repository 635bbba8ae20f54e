"""`rum sweep`: hyperparameter search on this machine or on a Ray cluster."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _job_sets, _options, _run_arguments
from rumcli.cli._options import OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console, formatting

if TYPE_CHECKING:
    from rumcli.jobs.execution import Ending, Options
    from rumcli.sweeps.search import SweepFolder, SweepResults
    from rumcli.sweeps.sweep_spec import SweepPlan

_PICTURE = "sweep.png"
# Keys that select the files of a task.
_OF_DATA = ("task.data", "task.subtask", "task.language")


def sweep(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="copying, recall, or a YAML file of yours. May be left out with --resume.",
            autocompletion=_options.completing(_options.sweeps),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to create. Default: sweeps/FILE-1, or the next free number."),
    ] = None,
    resume: _job_sets.Resume = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Show the results of the sweep in this directory so far."),
    ] = None,
    seeds: Annotated[
        int | None, _options.integer("Runs of each point, with seeds 1, 2, … Default: the file's.")
    ] = None,
    runs: Annotated[
        int | None, _options.integer("Limit of runs, seeds counted. Default: the file's.")
    ] = None,
    budget: _job_sets.Budget = None,
    jobs: _job_sets.Jobs = None,
    address: _job_sets.Address = None,
    trust_code: _run_arguments.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, list the points and stop.")
    ] = False,
    as_json: _options.Json = False,
    quiet: _job_sets.Quiet = False,
    debug: _options.Debug = False,
) -> None:
    """Train at every point of a grid, random or Bayesian search, with several seeds.

    Ctrl-C saves all runs and prints the command that continues.
    """
    from rumcli.config import catalog

    showing = OutputMode(as_json, quiet, debug)
    chosen = _job_sets.parse(jobs, address, budget, seeds, debug)
    if runs is not None:
        _options.at_least("--runs", 1, runs)
    if file is not None:
        file = catalog.locate_shipped("sweep", str(file))
    if results is not None:
        given = {"out": out, "resume": resume, "address": address, "runs": runs, "seeds": seeds}
        _job_sets.exclude("--results", FILE=file, **given)
        _show(_results(results), showing)
        return
    if resume is not None:
        _job_sets.exclude("--resume", out=out)
        if file is not None and _is_unbegun(resume):
            out, resume = resume, None
    elif file is None:
        raise ConfigError("which sweep? Give a FILE, or --resume with the folder of one")
    plan = _plan(resume, file, runs, seeds)
    if dry_run:
        _show_points(plan, showing)
        return
    if resume is not None and (found := _results(resume, plan)).is_complete:
        if not quiet:
            console.note(f"{resume} is finished")
        _show(found, showing)
        return
    with contextlib.ExitStack() as stack:
        folder = _folder(plan, file, out, resume, chosen, trust_code, stack)
        command = _job_sets.command("sweep", folder.path, chosen, budget, trust_code)
        ending, gave_up = _run(plan, folder, chosen, command, showing)
        found = _results(folder.path, plan, folder)
        _write(found)
    _job_sets.summarize(ending, found, command, showing)
    if (folder.path / _PICTURE).exists() and not showing.quiet:
        console.note(f"wrote {folder.path / _PICTURE}")
    _show(found, showing)
    _job_sets.end(ending, found, gave_up)


def _is_unbegun(path: Path) -> bool:
    from rumcli.sweeps.search import SweepFolder

    return SweepFolder.is_unbegun(path)


def _plan(resume: Path | None, file: Path | None, runs: int | None, seeds: int | None) -> SweepPlan:
    """Return the plan of a new or earlier sweep; a file may only change limits of the latter."""
    from rumcli import config
    from rumcli.sweeps import sweep_spec as plans
    from rumcli.sweeps.search import SweepFolder

    if resume is None:
        assert file is not None
        return plans.read(file, runs, seeds=seeds)
    before = SweepFolder.open(resume).plan(runs, seeds)
    if file is None:
        return before
    asked = plans.read(file, runs, seeds=seeds)
    changed = plans.differences(before.spec, asked.spec)
    if not changed:
        keys = config.differences(before.base, asked.base)
        changed = [f"preset: {'.'.join(key)}" for key in keys]
    if changed:
        raise ConfigError(
            f"--resume {resume}: {file} differs from the sweep's own file in "
            f"{', '.join(changed)}; leave FILE out, or start a new sweep (only "
            f"{', '.join(plans.CHANGEABLE)} may change)"
        )
    return asked


def _folder(
    plan: SweepPlan,
    file: Path | None,
    out: Path | None,
    resume: Path | None,
    chosen: Options,
    trusted: bool,
    stack: contextlib.ExitStack,
) -> SweepFolder:
    """Check the code and the data; create or open the directory, and lock it."""
    from rumcli.jobs import execution
    from rumcli.sweeps import sweep_spec
    from rumcli.sweeps.search import SweepFolder
    from rumcli.training import lock

    if plan.spec.search == "bayesian" and importlib.util.find_spec("optuna") is None:
        raise ConfigError("search: bayesian needs optuna: pip install 'rumcli[sweep]'")
    execution.check(chosen)
    seed = plan.spec.seeds[0]
    # A registered cell has no factory, so a sweep over both names and factories has only custom
    # cells. One of these keys therefore names all code, whatever else varies.
    names, data = (
        [plan.run(settings, seed) for settings in sweep_spec.one_at_a_time(plan.parameters, keys)]
        for keys in (_run_arguments.DECIDING, _OF_DATA)
    )
    _job_sets.check_runs(names, data if resume is None else [], trusted)
    if resume is None:
        assert file is not None
        return stack.enter_context(SweepFolder.claim(out, file.stem, plan))
    folder = SweepFolder.open(resume)
    stack.enter_context(lock.held(folder.path))
    groups = (plan.group(*point) for point in enumerate(folder.points(), 1))
    folder.check(job for group in groups for job in group.jobs if job.is_due)
    folder.write_spec(plan)  # its limits may have changed
    return folder


def _run(
    plan: SweepPlan, folder: SweepFolder, chosen: Options, command: str, showing: OutputMode
) -> tuple[Ending, str | None]:
    """Run the remaining runs; also return the reason if the search gave up."""
    from rumcli.jobs.execution import JobSet
    from rumcli.reporting.job_progress import Title
    from rumcli.sweeps import search

    source, halving = search.Search(plan, folder), search.halving(plan, folder)
    jobs = JobSet(folder, source, plan.spec.resources, plan.spec.hours, halving)
    ending = _job_sets.run(jobs, chosen, Title(seconds=chosen.budget), command, showing)
    return ending, source.gave_up


def _results(
    path: Path, plan: SweepPlan | None = None, folder: SweepFolder | None = None
) -> SweepResults:
    from rumcli.sweeps import search
    from rumcli.sweeps.search import SweepFolder

    return search.read_results(folder or SweepFolder.open(path), plan)


def _write(found: SweepResults) -> None:
    """Write `results.json`, and a plot if there are results."""
    from rumcli import atomic_io

    found.write()
    if any(point.values for point in found.groups):
        from rumcli.reporting import job_set_tables

        with atomic_io.replacing(found.folder.path / _PICTURE) as file:
            job_set_tables.draw_sweep(found, file, "png")


def _show(found: SweepResults, showing: OutputMode) -> None:
    from rumcli.reporting import job_set_tables as reporting

    showing.show(found.document, lambda _: reporting.sweep_results_table(found))


def _show_points(plan: SweepPlan, showing: OutputMode) -> None:
    from rumcli.json_schemas.results import SweepDryRun
    from rumcli.reporting import job_set_tables as reporting

    listed, spec = plan.listed(), plan.spec
    if showing.as_json:
        document = SweepDryRun(
            search=spec.search, seeds=spec.seeds, runs=plan.most_runs, points=listed
        )
        console.show_document(document)
    elif listed is None:
        most = plan.most_points
        limit = formatting.counted(most, "point") if most else f"{spec.hours:g} hours"
        seeds = formatting.counted(len(spec.seeds), "seed")
        console.show_text(
            f"{spec.search} search, at most {limit}, {seeds} each; the file is valid, and the "
            "points depend on the results"
        )
    else:
        console.show(reporting.points_table(listed, list(plan.parameters), len(spec.seeds)))
