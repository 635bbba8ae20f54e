"""Training for the CLI and Python API: a single run, all bAbI subtasks, or a run on Ray.

A run is followed from its directory to its summary. `rum train babi --subtask all` trains twenty
runs with one table of results. `rum train --ray` trains on the workers of a Ray cluster.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rumcli import backends, errors, signals
from rumcli.cli import _distributed, _job_sets, _keras_startup, _run_arguments
from rumcli.errors import ConfigError, Stopped
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.cli._options import OutputMode
    from rumcli.cli._run_arguments import PlannedRun
    from rumcli.config import RunConfig
    from rumcli.signals import StopRequest
    from rumcli.tasks.task_config import Subtask
    from rumcli.tasks.task_dataset import TaskDataset
    from rumcli.training.distribution import Placement, Runtime
    from rumcli.training.listeners import Listener
    from rumcli.training.requirements import Threshold
    from rumcli.training.run_dir import RunDir


@dataclass(frozen=True)
class Finished:
    """Result of a finished run.

    Attributes:
        run_dir: Directory of the run.
        summary: Summary of the run.
        validations: Value of the monitored metric at each validation; empty if the run had already
            finished.
        is_new: Whether this call trained it.
    """

    run_dir: RunDir
    summary: dict[str, Any]
    validations: Sequence[float] = ()
    is_new: bool = True


def stopped(reason: str, run_dir: RunDir, signal: int) -> Stopped:
    """Return the exception for a run that was stopped, with the command that resumes it."""
    return Stopped(f"{reason}; to resume: {run_dir.resume_call()}", signal)


def stopped_at_step(run_dir: RunDir, run: RunConfig, step: int, signal: int) -> Stopped:
    """Return the exception for a run that was stopped and saved at a step."""
    where = f"; saved at step {step} of {run.train.steps}" if step else " before the first step"
    return stopped(f"stopped{where}", run_dir, signal)


def run(
    planned: PlannedRun,
    thresholds: list[Threshold],
    output: OutputMode,
    placement: Placement | None = None,
) -> None:
    """Train or resume a run, and show its summary.

    Args:
        planned: Run to train.
        thresholds: Thresholds that the summary must meet.
        output: Output mode.
        placement: Devices and processes, of which this is process 0; None for one device.
    """
    finished = execute(planned, thresholds, output, placement)
    show_summary(finished, thresholds, output)
    if output.as_json or output.quiet or planned.has_all_subtasks or not finished.is_new:
        return
    if console.is_live():
        path = shlex.quote(str(finished.run_dir.path))
        console.note(f"curve: {path}/curves.svg; next: rum eval {path}, or rum compare runs")


def execute(
    planned: PlannedRun,
    thresholds: list[Threshold],
    output: OutputMode,
    placement: Placement | None = None,
) -> Finished:
    """Train or resume a run, without showing its summary.

    Args:
        planned: As for `run`.
        thresholds: As for `run`; only the names of the metrics are checked.
        output: As for `run`.
        placement: As for `run`.

    Returns:
        The finished run.

    Raises:
        Stopped: If a signal stopped it.
        ConfigError: If an option, the data or a threshold is invalid.
        RunError: If the run fails.
    """
    from rumcli.training import loggers

    loggers.require(planned.config.train.loggers)
    if not planned.has_all_subtasks:
        return _execute_one(planned, thresholds, output, placement)
    if planned.from_scratch:
        resume = planned.resume
        raise ConfigError(
            f"{errors.option('--from-scratch', True)}: {resume} has a run for each subtask; "
            "expected the directory of one of them, as in "
            f"{errors.option('--resume', f'{resume}/{planned.config.task.subtasks[0].directory}')}"
        )

    return execute_suite(planned, thresholds, output)


def _execute_one(
    planned: PlannedRun,
    thresholds: list[Threshold],
    output: OutputMode,
    placement: Placement | None,
) -> Finished:
    from rumcli.training import dataset_binding, requirements
    from rumcli.training.run_dir import RunDir

    run = planned.config
    if finished := finished_before(planned, thresholds, output, placement):
        return finished
    backends.require()  # before a directory is created, or --from-scratch deletes checkpoints
    run_dir = None if planned.resume is None else RunDir.open(planned.resume)
    requirements.check_early(thresholds, run, requirements.TRAINING_METRICS)
    dataset = dataset_binding.for_training(run, None if planned.from_scratch else run_dir)
    # Once the directory exists, the response to a signal must include the command that resumes.
    with contextlib.ExitStack() as stack:
        request = stack.enter_context(signals.listening())
        if run_dir is None:
            run_dir = stack.enter_context(RunDir.claim(planned.out, run))
        else:
            acquire(run_dir, planned, output, stack)
        hint = f"; to resume: {run_dir.resume_call()}"
        runtime = _distributed.runtime(placement, request, output, hint)
        _keras_startup.start(output.debug, runtime.start, output.quiet)
        with runtime.group.watched():
            if placement is not None:
                _distributed.agree(placement, run, runtime.group)
            _run_arguments.load_trusted(run)
            summary = _follow(run, run_dir, dataset, request, thresholds, output, runtime)
    return Finished(run_dir, summary, _draw(run_dir))


def _draw(run_dir: RunDir) -> list[float]:
    """Draw the learning curve of a run; a write error must not fail a finished run."""
    from rumcli.cli import plot

    try:
        return plot.save_curves(run_dir)
    except OSError as error:
        console.note(f"warning: can't write {run_dir.path}/curves.svg: {error.strerror or error}")
        return []


def finished_before(
    planned: PlannedRun,
    thresholds: list[Threshold],
    output: OutputMode,
    placement: Placement | None = None,
) -> Finished | None:
    """Return the result of the run to resume if it has finished; None otherwise."""
    from rumcli.training import requirements
    from rumcli.training.run_dir import RunDir

    if planned.resume is None:
        return None
    run_dir = RunDir.open(planned.resume)
    summary = run_dir.finished(planned.config)
    if not summary or planned.from_scratch:
        return None
    summary = {**summary, "folder": str(run_dir.path)}  # the directory may have been moved
    requirements.check_names(thresholds, requirements.metrics_in(summary))
    if not output.quiet:
        console.note(f"{planned.resume} is finished at step {_end(summary)}")
    _distributed.release_others(placement, output)
    return Finished(run_dir, summary, is_new=False)


def acquire(
    run_dir: RunDir, planned: PlannedRun, output: OutputMode, stack: contextlib.ExitStack
) -> None:
    """Lock the directory of an earlier run, and check that the run can be resumed."""
    from rumcli.training import resume

    before = stack.enter_context(run_dir.held())
    with run_dir.writing():
        if planned.from_scratch:
            resume.start_over(run_dir)
        else:
            resume.check(run_dir)
        output.listener_for(before)
        run_dir.write_config(planned.config)


def _follow(
    run: RunConfig,
    run_dir: RunDir,
    dataset: TaskDataset | None,
    request: StopRequest,
    thresholds: list[Threshold],
    output: OutputMode,
    runtime: Runtime,
) -> dict[str, Any]:
    from rumcli.reporting import train_progress
    from rumcli.training import run_environment
    from rumcli.training.callback import RunStopped
    from rumcli.training.trainer import train as train_run

    listener = train_progress.listener(console.stderr(), output.quiet, live=console.is_live())
    # A signal that arrived during the backend start. Several processes agree on it before their
    # first step.
    if request.signal is not None and runtime.group.count == 1:
        raise stopped_at_step(run_dir, run, 0, request.signal)
    try:
        with run_environment.restored_keras():
            summary = train_run(run, run_dir, listener, request, dataset, thresholds, runtime.group)
    except RunStopped as end:
        runtime.finish()
        raise stopped_at_step(run_dir, run, end.step, end.signal) from None
    runtime.finish()
    return summary


def _end(finished: dict[str, Any]) -> str:
    if threshold := finished.get("until_met"):
        hint = f", where it met {threshold}"
    elif callback := finished.get("stopped_by"):
        hint = f", where callback {callback} stopped it"
    else:
        hint = f"; {errors.option('--steps')} makes it longer"
    return f"{finished['steps']}{hint}"


def show_summary(finished: Finished, thresholds: list[Threshold], output: OutputMode) -> None:
    """Show the summary of a run, and enforce its thresholds."""
    from rumcli.json_schemas.results import SuiteSummary, Summary
    from rumcli.reporting import result_tables
    from rumcli.training import requirements

    summary = requirements.with_verdicts(thresholds, finished.summary)
    if "subtasks" in summary:
        output.show(SuiteSummary.read(summary), result_tables.babi_subtasks)
    else:
        output.show(
            Summary.read(summary), lambda shown: result_tables.result(shown, finished.validations)
        )
    requirements.enforce(summary)


def execute_suite(planned: PlannedRun, thresholds: list[Threshold], output: OutputMode) -> Finished:
    """Train all subtasks, or resume them, without showing the table.

    Args:
        planned: Run to train.
        thresholds: Thresholds for the summary; only the names of the metrics are checked.
        output: Output mode for messages.

    Raises:
        Stopped: If a signal stopped it.
    """
    from rumcli.training import requirements
    from rumcli.training.run_dir import RunDir

    run, resume = planned.config, planned.resume
    requirements.check_names(thresholds, requirements.SUITE_METRICS)
    with signals.listening() as request:
        _keras_startup.start(output.debug, quiet=output.quiet)
        _run_arguments.load_trusted(run)
        from rumcli.training import suite

        suite.check(run, None if resume is None else RunDir.open(resume))
        with contextlib.ExitStack() as stack:
            if resume is None:
                run_dir = stack.enter_context(RunDir.claim(planned.out, run))
            else:
                run_dir = RunDir.open(resume)
                output.listener_for(stack.enter_context(run_dir.held()))
                with run_dir.writing():
                    run_dir.write_config(run)
            summary = _follow_suite(run, run_dir, request, output)
    return Finished(run_dir, summary)


def _follow_suite(
    run: RunConfig, run_dir: RunDir, request: StopRequest, output: OutputMode
) -> dict[str, Any]:
    from rumcli.training import run_environment, suite
    from rumcli.training.callback import RunStopped

    try:
        with run_environment.restored_keras():
            return suite.train_all(run, run_dir, _listeners(output.quiet), request)
    except RunStopped as end:
        raise stopped("stopped; all runs are saved", run_dir, end.signal) from None


def _listeners(quiet: bool) -> Any:
    from rumcli.reporting import train_progress

    def listener(subtask: Subtask) -> Listener:
        if not quiet:
            console.note(f"subtask {subtask.number}, {subtask.name}")
        return train_progress.listener(console.stderr(), quiet, live=console.is_live())

    return listener


def check_ray(address: str | None, workers: int | None, placement: Any) -> None:
    """Check the options before anything starts.

    Args:
        address: Value of `--ray`.
        workers: Value of `--workers`.
        placement: Placement from the options for devices and hosts; None if there is none.

    Raises:
        ConfigError: If the options are incompatible, Ray is missing, or the address is unreachable.
    """
    if address is None:
        if workers is not None:
            raise ConfigError(
                f"--workers {workers}: expected --ray too; on one host without Ray, use --devices "
                f"{workers}"
            )
        return
    flag = f"--ray {address}"
    if placement is not None:
        raise ConfigError(f"{flag}: incompatible with --devices and --coordinator; use --workers")
    if workers is None or workers < 1:
        shown = "" if workers is None else f" --workers {workers}"
        raise ConfigError(f"{flag}{shown}: expected --workers N, the number of processes")
    _distributed.require_jax(f"{flag} --workers {workers}")
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            f"{flag}: requires ray, which is not installed: pip install 'rumcli[cluster]'"
        )
    from rumcli.jobs import cluster

    if address != cluster.LOCAL:
        cluster.check_address(address, "--ray")


def run_on_ray(
    planned: PlannedRun,
    thresholds: list[Threshold],
    output: OutputMode,
    address: str,
    workers: int,
) -> None:
    """Train or resume a run on a cluster, and show its summary.

    Args:
        planned: Run to train.
        thresholds: Thresholds that the summary must meet.
        output: Output mode.
        address: `"local"`, `"auto"` or HOST:PORT.
        workers: Number of processes.
    """
    from rumcli.jobs import ray_train
    from rumcli.reporting import train_progress
    from rumcli.training import dataset_binding, process_group, requirements
    from rumcli.training.run_dir import RunDir

    run = planned.config
    process_group.check_batch(run, workers, f"--workers {workers}")
    if finished := finished_before(planned, thresholds, output):
        show_summary(finished, thresholds, output)
        return
    requirements.check_early(thresholds, run, requirements.TRAINING_METRICS)
    if planned.resume is None:
        dataset_binding.for_training(run, None)
        run_dir = RunDir.create(planned.out, run)
    else:
        run_dir = RunDir.open(planned.resume)
        with contextlib.ExitStack() as stack:  # unlocks: the worker of process 0 locks it again
            acquire(run_dir, planned, output, stack)
    if not output.quiet:
        console.note("starting Ray")
    listener = train_progress.listener(console.stderr(), output.quiet, live=console.is_live())
    start = functools.partial(_start_on_ray, output.debug)
    with signals.responding(_job_sets.ENDING_RAY):
        kind, content = ray_train.run(run, run_dir, address, workers, listener, start, output.debug)
    if kind == "stopped":
        step, signal = content
        raise stopped_at_step(run_dir, run, step, signal)
    show_summary(Finished(run_dir, content), thresholds, output)


def _start_on_ray(debug: bool, run: RunConfig, first: Callable[[], None]) -> None:
    """Start Keras, JAX's runtime and custom code in a worker."""
    _keras_startup.start(debug, first, quiet=True)
    _run_arguments.load_trusted(run)
