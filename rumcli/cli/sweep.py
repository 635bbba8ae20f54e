"""`rum sweep`: many runs out of one file, on this machine or on a Ray cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import code, job_sets, options
from rumcli.cli.showing import Showing
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import output, wording

if TYPE_CHECKING:
    from rumcli.jobs.execution import Ending, Options
    from rumcli.sweeps.folder import SweepFolder
    from rumcli.sweeps.plan import Plan
    from rumcli.sweeps.results import Results

_PICTURE = "sweep.png"
# Which files a task reads.
_OF_DATA = ("task.data", "task.subtask", "task.language")


def sweep(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Description, YAML. May be left out with --resume."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to make. Default: sweeps/FILE-1, or the next free number."),
    ] = None,
    resume: job_sets.Resume = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Show the results of the sweep in this folder so far."),
    ] = None,
    seeds: Annotated[
        int | None, options.integer("Runs of each point, with seeds 1, 2, … Default: the file's.")
    ] = None,
    runs: Annotated[
        int | None, options.integer("Limit of runs, seeds counted. Default: the file's.")
    ] = None,
    budget: job_sets.Budget = None,
    jobs: job_sets.Jobs = None,
    address: job_sets.Address = None,
    trust_code: code.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, list the points and stop.")
    ] = False,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Train at every point of a grid, or of a random or Bayesian search, with several seeds.

    Ctrl-C saves all runs and prints the command that continues.
    """
    showing = Showing(as_json, quiet, debug)
    chosen = job_sets.parse(jobs, address, budget, seeds, debug)
    if runs is not None:
        options.at_least("--runs", 1, runs)
    if results is not None:
        given = {"out": out, "resume": resume, "address": address, "runs": runs, "seeds": seeds}
        job_sets.exclude("--results", FILE=file, **given)
        _show(_results(results), showing)
        return
    if resume is not None:
        job_sets.exclude("--resume", out=out)
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
            output.note(f"{resume} is finished")
        _show(found, showing)
        return
    with contextlib.ExitStack() as stack:
        folder = _folder(plan, file, out, resume, chosen, trust_code, stack)
        command = job_sets.command("sweep", folder.path, chosen, budget, trust_code)
        ending, gave_up = _run(plan, folder, chosen, command, showing)
        found = _results(folder.path, plan, folder)
        _write(found, plan, folder)
    job_sets.tell(ending, found.done, found.planned, command, showing)
    if (folder.path / _PICTURE).exists() and not showing.quiet:
        output.note(f"wrote {folder.path / _PICTURE}")
    _show(found, showing)
    if gave_up is not None and ending.signal is None:
        raise RunError(gave_up)
    job_sets.end(ending, found.failures)


def _is_unbegun(path: Path) -> bool:
    """Return whether the process that created a folder ended before the sweep had begun."""
    from rumcli.sweeps.folder import SweepFolder

    return SweepFolder.is_unbegun(path)


def _plan(resume: Path | None, file: Path | None, runs: int | None, seeds: int | None) -> Plan:
    """Return the plan of a new or an earlier sweep; for that a file may only have other limits."""
    from rumcli import config
    from rumcli.sweeps import plan as plans
    from rumcli.sweeps.folder import SweepFolder

    if resume is None:
        assert file is not None
        return plans.read(file, runs, seeds=seeds)
    folder = SweepFolder.open(resume)
    before = folder.plan(runs, seeds)
    if file is None:
        return before
    asked = plans.read(file, runs, seeds=seeds)
    changed = plans.differences(before.description, asked.description)
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
    plan: Plan,
    file: Path | None,
    out: Path | None,
    resume: Path | None,
    chosen: Options,
    trusted: bool,
    stack: contextlib.ExitStack,
) -> SweepFolder:
    """Check what is needed besides the file; create or open the folder, and keep others out."""
    from rumcli.jobs import execution
    from rumcli.sweeps import points
    from rumcli.sweeps.folder import SweepFolder
    from rumcli.training import lock

    if plan.description.search == "bayesian" and importlib.util.find_spec("optuna") is None:
        raise ConfigError("search: bayesian needs optuna: pip install 'rumcli[sweep]'")
    execution.check(chosen)
    seed = plan.description.seeds[0]
    # Whatever else varies, a run names the code that one of these names: a cell of ours has no
    # factory, so a sweep that varies both names and factories has no other cells.
    names, data = (
        [plan.run(settings, seed) for settings in points.one_at_a_time(plan.parameters, keys)]
        for keys in (code.DECIDING, _OF_DATA)
    )
    job_sets.check_runs(names, data if resume is None else [], trusted)
    if resume is not None:
        folder = SweepFolder.open(resume)
        stack.enter_context(lock.held(folder.path))
        return folder
    assert file is not None
    return stack.enter_context(SweepFolder.claim(out, file.stem, plan))


def _run(
    plan: Plan, folder: SweepFolder, chosen: Options, command: str, showing: Showing
) -> tuple[Ending, str | None]:
    """Run what is left; also return why the search gave up, if it did."""
    from rumcli.jobs.execution import Resources
    from rumcli.reporting.sweep_progress import Kind
    from rumcli.sweeps import search

    folder.write_description(plan)  # its limits may be others than before
    listener = job_sets.listener(Kind(seconds=chosen.budget), showing)
    queue = search.queue(plan, folder, listener)
    described = plan.description
    resources = Resources(described.cores_per_run, described.gpus_per_run, described.retries)
    chosen = dataclasses.replace(chosen, hours=described.hours)
    halving = search.halving(plan, folder)
    ending = job_sets.run(folder, queue, resources, chosen, listener, command, halving)
    return ending, queue.gave_up


def _results(path: Path, plan: Plan | None = None, folder: SweepFolder | None = None) -> Results:
    from rumcli.sweeps import results
    from rumcli.sweeps.folder import SweepFolder

    return results.read(folder or SweepFolder.open(path), plan)


def _write(found: Results, plan: Plan, folder: SweepFolder) -> None:
    """Write `results.json`, and a picture if matplotlib is there."""
    from rumcli import documents, files

    document = {"schema": documents.schema("sweep"), **found.to_json()}
    text = files.to_json(document, indent=2)
    files.write_text(folder.path / "results.json", text + "\n")
    has_figure = any(point.values for point in found.points)
    if has_figure and importlib.util.find_spec("matplotlib") is not None:
        from rumcli.reporting import sweep_plot

        with files.replacing(folder.path / _PICTURE) as file:
            sweep_plot.draw(found, plan.parameters, file, "png")


def _show(found: Results, showing: Showing) -> None:
    from rumcli.reporting.sweep import SweepTable

    if showing.as_json:
        output.show_json("sweep", found.to_json())
    elif not showing.quiet:
        output.show(SweepTable(found))


def _show_points(plan: Plan, showing: Showing) -> None:
    from rumcli.reporting import sweep as reporting

    listed, described = plan.listed(), plan.description
    if showing.as_json:
        output.show_json(
            "sweep-dry-run",
            {
                "search": described.search,
                "seeds": described.seeds,
                "runs": plan.most_runs,
                "points": listed,
            },
        )
    elif listed is None:
        most, hours = plan.most_points, described.hours
        limit = wording.counted(most, "point") if most else f"{hours:g} hours"
        seeds = wording.counted(len(described.seeds), "seed")
        output.show_text(
            f"{described.search} search, at most {limit}, {seeds} each; the file is right, and the "
            "points follow as it goes"
        )
    else:
        output.show(reporting.points(listed, list(plan.parameters), len(described.seeds)))
