"""`rum sweep`: many runs out of one file, on this machine's cores or on a Ray cluster."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import own_code, signals
from rumcli.cli import code, engine, options
from rumcli.cli.showing import Showing
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import output, wording

if TYPE_CHECKING:
    from rumcli.config import RunConfig
    from rumcli.sweeps.folder import SweepFolder
    from rumcli.sweeps.plan import Plan
    from rumcli.sweeps.results import Results
    from rumcli.sweeps.tune import Ending

_PICTURE = "sweep.png"
# To a signal before the runs begin: Ray's processes take their time to end.
ENDING_RAY = signals.Response("ending Ray; a second signal ends at once", delay=0.3)
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
    resume: Annotated[
        Path | None,
        typer.Option(help="Go on with the sweep in this folder; what failed is tried again."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Show what came of the sweep in this folder so far. Needs no Ray."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto",
            help="Ray cluster that is running. Default: the cores of this machine.",
        ),
    ] = None,
    runs: Annotated[
        int | None, options.integer("Limit of runs, seeds counted. Default: the file's.")
    ] = None,
    trust_code: code.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, list the points and stop.")
    ] = False,
    as_json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")] = False,
    debug: options.Debug = False,
) -> None:
    """Train at every point of a grid, or of a random or Bayesian search, with several seeds.

    Ctrl-C saves all runs and says how to go on. Needs the extra 'cluster'.
    """
    showing = Showing(as_json, quiet, debug)
    if runs is not None:
        options.at_least("--runs", 1, runs)
    if results is not None:
        _refuse("--results", FILE=file, out=out, resume=resume, address=address, runs=runs)
        _show(_results(results), showing)
        return
    if resume is not None:
        _refuse("--resume", out=out)
        if file is not None and _is_unbegun(resume):
            out, resume = resume, None
    elif file is None:
        raise ConfigError("which sweep? Give a FILE, or --resume with the folder of one")
    from rumcli.sweeps import plan as plans

    if resume is None:
        assert file is not None
        plan = plans.read(file, runs)
    else:
        plan = _resumed(resume, file, runs)
    if dry_run:
        _show_points(plan, showing)
        return
    if resume is not None and (found := _results(resume, plan)).is_complete:
        if not quiet:
            output.note(f"{resume} is finished")
        _show(found, showing)
        return
    with contextlib.ExitStack() as stack:
        folder = _folder(plan, file, out, resume, address, trust_code, stack)
        command = _resume_command(folder.path, address, trust_code)
        ending, found = _run(plan, folder, address, command, showing)
    _tell(ending, found, folder, command, showing)
    _show(found, showing)
    _end(ending, found)


def _is_unbegun(path: Path) -> bool:
    """Tell whether the process that created a folder ended before the sweep had begun."""
    from rumcli.sweeps.folder import SweepFolder

    return SweepFolder.is_unbegun(path)


def _refuse(flag: str, **others: Any) -> None:
    for name, value in others.items():
        if value is not None:
            shown = name if name.isupper() else f"--{name}"
            raise ConfigError(f"{flag} and {shown} exclude each other")


def _resumed(path: Path, file: Path | None, runs: int | None) -> Plan:
    """Return what an earlier sweep is; a file may only say the same again, or other limits."""
    from rumcli import config
    from rumcli.sweeps import plan as plans
    from rumcli.sweeps.folder import SweepFolder

    folder = SweepFolder.open(path)
    before = folder.plan()
    if file is None:
        return folder.plan(runs) if runs is not None else before
    asked = plans.read(file, runs)
    changed = plans.differences(before.description, asked.description)
    if not changed:
        keys = config.differences(before.base, asked.base)
        changed = [f"preset: {'.'.join(key)}" for key in keys]
    if changed:
        raise ConfigError(
            f"--resume {path}: {file} differs from the sweep's own file in "
            f"{', '.join(changed)}; leave FILE out, or start a new sweep (only "
            f"{', '.join(plans.CHANGEABLE)} may change)"
        )
    return asked


def _folder(
    plan: Plan,
    file: Path | None,
    out: Path | None,
    resume: Path | None,
    address: str | None,
    trusted: bool,
    stack: contextlib.ExitStack,
) -> SweepFolder:
    """Check what is needed besides the file; create or open the folder, and keep others out."""
    from rumcli.sweeps import points, tune
    from rumcli.sweeps.folder import SweepFolder
    from rumcli.training import lock

    tune.require(plan)
    if address is not None:
        tune.check_address(address)
    # Whatever else varies, a run names the code that one of these names: a cell of ours has no
    # factory, so a sweep that varies both names and factories has no other cells.
    for settings in points.one_at_a_time(plan.parameters, code.DECIDING):
        code.check(plan.run(settings, plan.description.seeds[0]), trusted)
    if resume is not None:
        folder = SweepFolder.open(resume)
        stack.enter_context(lock.held(folder.path))
        return folder
    _check_data(plan)
    assert file is not None
    return stack.enter_context(SweepFolder.claim(out, file.stem, plan))


def _check_data(plan: Plan) -> None:
    """Make sure that texts and stories are there, before anything starts."""
    from rumcli.sweeps import points
    from rumcli.training import material

    for settings in points.one_at_a_time(plan.parameters, _OF_DATA):
        run = plan.run(settings, plan.description.seeds[0])
        if run.task.name == "ptb" or getattr(run.task, "data", None) is not None:
            material.for_training(run, None)


def _resume_command(path: Path, address: str | None, trusted: bool) -> str:
    """Return what to type to go on, with what the sweep's files do not know."""
    words = ["rum", "sweep", "--resume", str(path)]
    if address is not None:
        words += ["--address", address]
    if trusted:
        words.append(own_code.TRUST)
    return shlex.join(words)


def _run(
    plan: Plan, folder: SweepFolder, address: str | None, command: str, showing: Showing
) -> tuple[Ending, Results]:
    """Run what is left, and write what came of the sweep."""
    from rumcli import machine
    from rumcli.reporting import sweep_progress
    from rumcli.sweeps import results, tune

    found = machine.cores()
    cores = max(1, int(min(found["usable"] or 1, found["quota"] or float("inf"))))
    listener = sweep_progress.listener(output.stderr(), showing.quiet, live=output.is_live())
    start = functools.partial(_start, showing.debug)
    folder.write_description(plan)  # its limits may be others than before
    if not showing.quiet:
        output.note("starting Ray")
    try:
        with signals.responding(ENDING_RAY):
            ending = tune.run(plan, folder, listener, start, cores, address, showing.debug)
    except tune.BrokenOffError as error:
        raise RunError(f"{error}; to go on: {command}") from error
    came = results.read(folder, plan)
    _write(came, plan, folder)
    return ending, came


def _start(debug: bool, run: RunConfig) -> None:
    """Bring up Keras, and the user's code, in the process of a run."""
    engine.start(debug, quiet=True)
    code.admit(run)


def _results(path: Path, plan: Plan | None = None) -> Results:
    from rumcli.sweeps import results
    from rumcli.sweeps.folder import SweepFolder

    return results.read(SweepFolder.open(path), plan)


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


def _tell(
    ending: Ending, found: Results, folder: SweepFolder, command: str, showing: Showing
) -> None:
    """Say what is left, and how to go on with it."""
    from rumcli.sweeps import folder as folders

    failed = sum(one.state == folders.FAILED for one in found.due)
    done = wording.counted_of(found.done, found.planned, "run")
    if ending.signal is not None or ending.out_of_time:
        why = "stopped" if ending.signal is not None else "the limit of hours is reached"
        output.note(f"{why}; {done} done, the others saved; to go on: {command}")
    elif failed and not showing.quiet:
        output.note(f"{wording.counted(failed, 'run')} failed; to try them again: {command}")
    if (folder.path / _PICTURE).exists() and not showing.quiet:
        output.note(f"wrote {folder.path / _PICTURE}")


def _end(ending: Ending, found: Results) -> None:
    """End with the code of a stop, or the error of a sweep that has no result."""
    from rumcli.sweeps import folder as folders

    if ending.signal is not None:
        raise SystemExit(128 + ending.signal)
    if ending.gave_up is not None:
        raise RunError(ending.gave_up)
    # One that fails is a result of a search, which may well try too large a learning rate.
    if found.due and all(one.state == folders.FAILED for one in found.due):
        one = found.due[0]
        raise RunError(f"every run failed; {one.run.name}: {one.message}")


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
