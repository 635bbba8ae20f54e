"""Options, checks and control flow shared by the commands that run a set of runs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import errors, signals
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.cli._options import Option, OutputMode
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import console, formatting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rumcli.config import RunConfig
    from rumcli.jobs.execution import Ending, JobOptions, JobSet
    from rumcli.jobs.job_folder import SetResults
    from rumcli.reporting.job_progress import Title

JOBS = Option(
    kind=int | None,
    typed=_options.integer(
        "Maximum number of concurrent runs. Default: as many as fit on the machines."
    ),
)
ADDRESS = Option(
    kind=str | None,
    typed=typer.Option(
        metavar="HOST:PORT|auto",
        help="Address of a running Ray cluster. Default: this machine, without Ray.",
    ),
)
BUDGET = Option(
    kind=str | None,
    typed=typer.Option(
        metavar="TIME",
        help="Total time, as in 30m or 2h, divided among the runs; an unfinished run is saved and "
        "tested. Default: until all runs are done.",
    ),
)
RESUME = Option(
    kind=Path | None,
    typed=typer.Option(help="Continue the set in this directory; failed runs are retried."),
    convert=Path,
)
# For commands without a function in Python.
Jobs = Annotated[int | None, JOBS.typed]
Address = Annotated[str | None, ADDRESS.typed]
Budget = Annotated[str | None, BUDGET.typed]
Resume = Annotated[Path | None, RESUME.typed]

# Response to a signal before the runs start: Ray's processes take time to exit.
ENDING_RAY = signals.Response("ending Ray; a second signal ends at once", delay=0.3)


def parse(
    jobs: int | None,
    address: str | None,
    budget: str | None,
    seeds: int | None,
    debug: bool,
) -> JobOptions:
    """Validate the common options.

    Raises:
        ConfigError: If an option is invalid.
    """
    from rumcli.jobs import job_spec
    from rumcli.jobs.execution import JobOptions

    for flag, number in (("--jobs", jobs), ("--seeds", seeds)):
        if number is not None:
            _options.at_least(flag, 1, number)
    seconds = None if budget is None else job_spec.parse_budget(budget)
    return JobOptions(jobs, address, seconds, debug)


def command(
    name: str, place: Path, job_options: JobOptions, budget: str | None, trusted: bool
) -> str:
    """Return the command, or the call in Python, that continues a set.

    It includes the options that are not stored in the directory.
    """
    results = {"jobs": job_options.jobs, "address": job_options.address, "budget": budget}
    given = {option: value for option, value in results.items() if value is not None}
    if trusted:
        given["trust_code"] = True
    return errors.call(name, resume=place, **given)


def run(
    jobs: JobSet, job_options: JobOptions, title: Title, command: str, output: OutputMode
) -> Ending:
    """Run the remaining runs of a set; see `jobs.execution.run`.

    Args:
        jobs: Job set whose directory this process has locked.
        job_options: Location and time limit of the runs.
        title: Name of the set, for the progress.
        command: Command that continues the set.
        output: Output mode for the progress.

    Raises:
        RunError: If the set fails; the message includes the command.
    """
    from rumcli.jobs import execution
    from rumcli.reporting import job_progress

    listener = job_progress.listener(console.stderr(), output.quiet, console.is_live(), title)
    start = functools.partial(_start, job_options.debug)
    response = ENDING_RAY if job_options.address else signals.ENDING
    try:
        with signals.responding(response):
            return execution.run(jobs, job_options, listener, start)
    except RunError as error:
        raise RunError(f"{error}; to resume: {command}") from error


def check_runs(names: Iterable[RunConfig], data: Iterable[RunConfig], trusted: bool) -> None:
    """Check the code and data of runs before any run starts.

    Args:
        names: Runs that together name all code of the set.
        data: Runs that together name all its texts and stories.
        trusted: Whether the user trusts the code.

    Raises:
        ConfigError: If code is not trusted or not found, or data or loggers are missing.
    """
    from rumcli.training import dataset_binding, loggers

    for run in names:
        _run_arguments.check_trust(run, trusted)
        loggers.require(run.train.loggers)
    checked = set()
    for run in data:
        task = run.task
        if task.reads_files and repr(task) not in checked:
            checked.add(repr(task))
            dataset_binding.for_training(run, None)


def _start(debug: bool, run: RunConfig) -> None:
    """Import Keras and custom code in the process of a run."""
    _keras_startup.start(debug, quiet=True)
    _run_arguments.load_trusted(run)


def summarize(ending: Ending, results: SetResults, command: str, output: OutputMode) -> None:
    """Print the number of remaining runs and the command that continues the set."""
    is_stopped = ending.signal is not None
    if is_stopped or (not results.is_complete and not output.quiet):
        why = "stopped; " if is_stopped else "the time is over; " if ending.out_of_time else ""
        count = formatting.counted_of(results.done, results.planned, "run")
        console.note(f"{why}{count} done; to resume: {command}")


def end(ending: Ending, results: SetResults, gave_up: str | None = None) -> None:
    """Exit with the code of a signal, or with 1 if runs failed or the search gave up.

    Raises:
        SystemExit: With 128 plus the signal number.
        RunError: If runs failed, or the search gave up.
    """
    if ending.signal is not None:
        raise SystemExit(128 + ending.signal)
    if gave_up is not None:
        raise RunError(gave_up)
    if failed := results.failures:
        count = formatting.counted(len(failed), "run")
        raise RunError(f"{count} failed; {failed[0].job.name}: {failed[0].message}")


def exclude(flag: str, **others: object) -> None:
    """Reject options that are incompatible with another one.

    Raises:
        ConfigError: If one of them was given.
    """
    for name, value in others.items():
        if value is not None and value != []:
            other = name if name.isupper() else f"--{name.replace('_', '-')}"
            both = f"{errors.option(flag)} and {errors.option(other)}"
            raise ConfigError(f"{both} are mutually exclusive")
