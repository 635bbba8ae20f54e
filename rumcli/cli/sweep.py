"""`rum sweep`: hyperparameter search on this machine or on a Ray cluster."""

from __future__ import annotations

import contextlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from rumcli import errors
from rumcli.cli import _job_sets, _options, _run_arguments
from rumcli.cli._options import FilePath, Option, OutputMode
from rumcli.config import catalog
from rumcli.errors import ConfigError, Metavar
from rumcli.reporting import console, formatting

if TYPE_CHECKING:
    from rumcli.jobs.execution import Ending, JobOptions
    from rumcli.sweeps.search import SweepFolder, SweepResults
    from rumcli.sweeps.sweep_spec import SweepPlan

_PLOT = "sweep.png"
# Keys that select the files of a task.
_DATA_KEYS = ("task.data", "task.subtask", "task.language")


class SweepOptions(TypedDict, total=False):
    """Options of `rum sweep`, and arguments of `rumcli.sweep`."""

    file: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Argument(
                metavar="FILE",
                help="copying, recall, or a YAML file. Optional with --resume.",
                autocompletion=_options.completing(_options.sweeps),
            ),
            convert=Path,
        ),
    ]
    out: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(
                help="Directory to create. Default: sweeps/FILE-1, or the next free number."
            ),
            convert=Path,
        ),
    ]
    resume: Annotated[FilePath | None, _job_sets.RESUME]
    results: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(help="Show the results of the sweep in this directory so far."),
            doc="Sweep whose results so far are returned, without a run.",
            convert=Path,
        ),
    ]
    seeds: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Runs of each point, with seeds 1, 2, … Default: the file's."),
        ),
    ]
    max_runs: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Maximum number of runs, over all seeds. Default: the file's."),
        ),
    ]
    budget: Annotated[str | None, _job_sets.BUDGET]
    jobs: Annotated[int | None, _job_sets.JOBS]
    address: Annotated[str | None, _job_sets.ADDRESS]


@dataclass(frozen=True)
class SweepOutcome:
    """Outcome of a sweep command.

    Attributes:
        results: Results of the sweep.
        ending: End of the runs; None if none were started.
        gave_up: Reason if the search gave up; else None.
        command: Command, or call in Python, that continues the sweep.
    """

    results: SweepResults
    ending: Ending | None = None
    gave_up: str | None = None
    command: str = ""


@_options.takes(SweepOptions)
def sweep(
    options: SweepOptions,
    trust_code: _run_arguments.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the file, list the points and stop.")
    ] = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
    debug: _options.Debug = False,
) -> None:
    """Train at every point of a grid, random or Bayesian search, with several seeds.

    Ctrl-C saves all runs and prints the command that continues.
    """
    output = OutputMode(as_json, quiet, debug)
    if dry_run:
        _show_points(_Request.read(options, output.debug).plan(), output)
        return
    outcome = execute(options, trust_code, output)
    if outcome.ending is not None:
        _job_sets.summarize(outcome.ending, outcome.results, outcome.command, output)
        plot = outcome.results.folder.path / _PLOT
        if plot.exists() and not quiet:
            console.note(f"wrote {plot}")
    _show(outcome.results, output)
    if outcome.ending is not None:
        _job_sets.end(outcome.ending, outcome.results, outcome.gave_up)


def execute(options: SweepOptions, trusted: bool, output: OutputMode) -> SweepOutcome:
    """Run or resume a sweep, or read its results, without showing them.

    Args:
        options: Options of the command, or arguments of the function.
        trusted: Whether the user trusts all code named in the sweep.
        output: Output mode for messages.

    Raises:
        ConfigError: If an option, the file, the data or the backend is invalid.
        RunError: If the sweep cannot continue, such as on a full disk.
    """
    request = _Request.read(options, output.debug)
    if request.results is not None:
        return SweepOutcome(_results(request.results))
    plan, resume, job_options = request.plan(), request.resume, request.job_options
    if resume is not None and (results := _results(resume, plan)).is_complete:
        if not output.quiet:
            console.note(f"{resume} is finished")
        return SweepOutcome(results)
    with contextlib.ExitStack() as stack:
        directory = _claim_directory(plan, request, trusted, stack)
        budget = options.get("budget")
        command = _job_sets.command("sweep", directory.path, job_options, budget, trusted)
        ending, gave_up = _run(plan, directory, job_options, command, output)
        results = _results(directory.path, plan, directory)
        _write(results)
    return SweepOutcome(results, ending, gave_up, command)


@dataclass(frozen=True)
class _Request:
    """Validated options of a sweep."""

    file: Path | None
    out: Path | None
    resume: Path | None
    results: Path | None
    max_runs: int | None
    seeds: int | None
    job_options: JobOptions

    @classmethod
    def read(cls, options: SweepOptions, debug: bool) -> _Request:
        """Validate the options, without reading the file of the sweep."""
        from rumcli.sweeps.search import SweepFolder

        given = _options.converted(SweepOptions, options)
        file, out, resume, results = map(given.get, ("file", "out", "resume", "results"))
        job_options = _job_sets.parse(
            given.get("jobs"), given.get("address"), given.get("budget"), given.get("seeds"), debug
        )
        if "max_runs" in given:
            _options.at_least("--max-runs", 1, given["max_runs"])
        if file is not None:
            file = catalog.locate_shipped("sweep", str(file))
        if results is not None:
            others = ("out", "resume", "address", "max_runs", "seeds")
            _job_sets.exclude("--results", FILE=file, **{name: given.get(name) for name in others})
        elif resume is not None:
            _job_sets.exclude("--resume", out=out)
            if file is not None and SweepFolder.is_not_started(resume):
                out, resume = resume, None
        elif file is None:
            example = errors.option("--resume", Metavar("DIRECTORY"))
            raise ConfigError(
                f"which sweep? Expected a FILE, or {example} with the directory of a sweep"
            )
        limits = given.get("max_runs"), given.get("seeds")
        return cls(file, out, resume, results, *limits, job_options)

    def plan(self) -> SweepPlan:
        """Return the plan of a new or earlier sweep; a file may change only limits of the latter.

        Raises:
            ConfigError: If the file is invalid, or changes more than the limits.
        """
        from rumcli import config
        from rumcli.sweeps import sweep_spec
        from rumcli.sweeps.search import SweepFolder

        if self.resume is None:
            assert self.file is not None
            return sweep_spec.read(self.file, self.max_runs, seeds=self.seeds)
        before = SweepFolder.open(self.resume).plan(self.max_runs, self.seeds)
        if self.file is None:
            return before
        updated = sweep_spec.read(self.file, self.max_runs, seeds=self.seeds)
        changed = sweep_spec.differences(before.spec, updated.spec)
        if not changed:
            keys = config.differences(before.base, updated.base)
            changed = [f"preset: {'.'.join(key)}" for key in keys]
        if changed:
            raise ConfigError(
                f"{errors.option('--resume', self.resume)}: {self.file} differs from the file of "
                f"the sweep in {', '.join(changed)}; omit FILE, or start a new sweep (only "
                f"{', '.join(sweep_spec.CHANGEABLE)} may change)"
            )
        return updated


def _claim_directory(
    plan: SweepPlan, request: _Request, trusted: bool, stack: contextlib.ExitStack
) -> SweepFolder:
    """Check the code and the data; create or open the directory, and lock it."""
    from rumcli.jobs import execution
    from rumcli.sweeps import sweep_spec
    from rumcli.sweeps.search import SweepFolder
    from rumcli.training import lock

    if plan.spec.search == "bayesian" and importlib.util.find_spec("optuna") is None:
        raise ConfigError("search: bayesian requires optuna: pip install 'rumcli[sweep]'")
    execution.check(request.job_options)
    seed = plan.spec.seeds[0]
    # A registered cell has no factory, so a sweep over both names and factories has only custom
    # cells. One of these keys therefore names all code, whatever else varies.
    names, data = (
        [plan.run(settings, seed) for settings in sweep_spec.one_at_a_time(plan.parameters, keys)]
        for keys in (_run_arguments.CODE_KEYS, _DATA_KEYS)
    )
    _job_sets.check_runs(names, data if request.resume is None else [], trusted)
    if request.resume is None:
        assert request.file is not None
        return stack.enter_context(SweepFolder.claim(request.out, request.file.stem, plan))
    directory = SweepFolder.open(request.resume)
    stack.enter_context(lock.held(directory.path))
    groups = (plan.group(*point) for point in enumerate(directory.points(), 1))
    directory.check(job for group in groups for job in group.jobs if job.is_due)
    directory.write_spec(plan)  # its limits may have changed
    return directory


def _run(
    plan: SweepPlan,
    directory: SweepFolder,
    job_options: JobOptions,
    command: str,
    output: OutputMode,
) -> tuple[Ending, str | None]:
    """Run the remaining runs; also return the reason if the search gave up."""
    from rumcli.jobs.execution import JobSet
    from rumcli.reporting.job_progress import Title
    from rumcli.sweeps import search

    source, halving = search.Search(plan, directory), search.halving(plan, directory)
    jobs = JobSet(directory, source, plan.spec.resources, plan.spec.max_hours, halving)
    ending = _job_sets.run(jobs, job_options, Title(seconds=job_options.budget), command, output)
    return ending, source.gave_up


def _results(
    path: Path, plan: SweepPlan | None = None, directory: SweepFolder | None = None
) -> SweepResults:
    from rumcli.sweeps import search
    from rumcli.sweeps.search import SweepFolder

    return search.read_results(directory or SweepFolder.open(path), plan)


def _write(results: SweepResults) -> None:
    """Write `results.json`, and a plot if there are results."""
    from rumcli import atomic_io

    results.write()
    if any(point.values for point in results.groups):
        from rumcli.reporting import job_set_tables

        with atomic_io.replacing(results.folder.path / _PLOT) as file:
            job_set_tables.draw_sweep(results, file, "png")


def _show(results: SweepResults, output: OutputMode) -> None:
    from rumcli.reporting import job_set_tables as reporting

    output.show(results.document, lambda _: reporting.sweep_results_table(results))


def _show_points(plan: SweepPlan, output: OutputMode) -> None:
    from rumcli.json_schemas.results import SweepDryRun
    from rumcli.reporting import job_set_tables as reporting

    listed, spec = plan.listed(), plan.spec
    if output.as_json:
        document = SweepDryRun(
            search=spec.search, seeds=spec.seeds, max_runs=plan.max_num_runs, points=listed
        )
        console.show_document(document)
    elif listed is None:
        most = plan.max_points
        limit = formatting.counted(most, "point") if most else f"{spec.max_hours:g} hours"
        seeds = formatting.counted(len(spec.seeds), "seed")
        console.show_text(
            f"{spec.search} search, at most {limit}, {seeds} each; the file is valid, and the "
            "points depend on the results"
        )
    else:
        console.show(reporting.points_table(listed, list(plan.parameters), len(spec.seeds)))
