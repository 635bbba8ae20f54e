"""Execution of a set: selects the executor and the time limit, and runs the engine."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import time
from dataclasses import dataclass

from rumcli import atomic_io, backends, errors, signals, system_info
from rumcli.errors import ConfigError, RunError
from rumcli.jobs import cluster, job_spec, local
from rumcli.jobs.engine import Engine, Executor, Halving, JobQueue, JobSource
from rumcli.jobs.job_folder import JobFolder
from rumcli.jobs.job_spec import JobListener, Machine, Resources, TimeLimit
from rumcli.jobs.worker import Start


@dataclass(frozen=True)
class JobSet:
    """Set of runs with its resources and limits.

    Attributes:
        folder: Directory of the set.
        source: Source of the runs.
        resources: Resources of each run.
        max_hours: Time limit without shares, used if there is no budget; None for no limit.
        halving: Early stopping; None for none.
    """

    folder: JobFolder
    source: JobSource
    resources: Resources
    max_hours: float | None = None
    halving: Halving | None = None


@dataclass(frozen=True)
class JobOptions:
    """Common options of the commands that execute a set.

    Attributes:
        jobs: Maximum number of concurrent runs; None for as many as fit.
        address: Address of a Ray cluster; None for this machine.
        budget: Seconds that the runs share; None for no limit.
        debug: Whether to show the output of the processes.
    """

    jobs: int | None = None
    address: str | None = None
    budget: float | None = None
    debug: bool = False


@dataclass(frozen=True)
class Ending:
    """End of a set of runs.

    Attributes:
        signal: Number of the signal that requested it; None without one.
        out_of_time: Whether the time limit was reached.
    """

    signal: int | None = None
    out_of_time: bool = False


def check(options: JobOptions) -> None:
    """Check the executor before a directory is created or any run starts.

    Raises:
        ConfigError: If the backend or Ray is missing, or no server listens at the address.
    """
    if options.address is None:  # the backends of a cluster are checked there
        backends.require()
        return
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            f"{errors.option('--address', options.address)} requires ray: pip install "
            f"'rumcli[cluster]' (without {errors.option('--address')}, the runs use this machine)"
        )
    cluster.check_address(options.address)


def run(jobs: JobSet, options: JobOptions, listener: JobListener, start: Start) -> Ending:
    """Execute the remaining runs of a set.

    Args:
        jobs: Job set whose directory this process has locked.
        options: Executor and time limit.
        listener: Receives the events.
        start: Imports the dependencies of a run, in its process.

    Raises:
        ConfigError: If the cluster is unreachable, or a run fits on no machine.
        RunError: If the set ends early, for example because of a full disk.
    """
    is_shared = options.budget is not None
    queue = JobQueue(jobs.folder, jobs.source, listener, is_shared)
    if queue.done_before == queue.planned:
        return Ending()
    remaining = None if queue.planned is None else queue.planned - queue.done_before
    with contextlib.ExitStack() as stack:
        if options.address is None:
            executor, slots = _local(jobs.resources, options, remaining, start)
        else:
            stack.enter_context(cluster.connected(options.address, options.debug))
            executor, slots = _on_ray(jobs.resources, options, remaining, start, jobs.folder)
        # After Ray, which installs its own SIGTERM handler.
        request = stack.enter_context(signals.listening(signals.MANY_RUNS))
        limit, now = TimeLimit(), time.monotonic()
        if options.budget is not None:
            limit = TimeLimit.budget(options.budget, now, slots)
        elif jobs.max_hours is not None:
            limit = TimeLimit(now + 3600 * jobs.max_hours)
        engine = Engine(jobs.folder, queue, listener, request, limit, jobs.halving)
        listener.started(str(jobs.folder.path), queue.planned, queue.done_before, slots)
        try:
            executor.run(engine)
        except OSError as error:
            raise RunError(atomic_io.cannot_write(jobs.folder.path, error)) from error
        finally:
            listener.finished()
    return Ending(request.signal, engine.is_out_of_time)


def _local(
    resources: Resources, options: JobOptions, remaining: int | None, start: Start
) -> tuple[Executor, int]:
    core_counts = system_info.cores()
    cores = max(1, int(min(core_counts["usable"] or 1, core_counts["quota"] or float("inf"))))
    gpus = local.visible_gpus() if resources.gpus else []
    cores_per_run, jobs = resources.cores or 1, options.jobs
    # With --jobs, runs may share cores, but never a GPU reserved for one run.
    machine = Machine(cores if jobs is None else jobs * cores_per_run, len(gpus))
    slots = _least(job_spec.slots([machine], cores_per_run, resources.gpus or 0.0), jobs, remaining)
    cores_used = resources.cores or max(1, cores // slots)
    launch = functools.partial(local.Child, start=start, cores=cores_used, debug=options.debug)
    return local.LocalExecutor(
        launch, slots, local.Gpus(gpus, resources.gpus), resources.retries
    ), slots


def _on_ray(
    resources: Resources,
    options: JobOptions,
    remaining: int | None,
    start: Start,
    folder: JobFolder,
) -> tuple[Executor, int]:
    cores, gpus, jobs = resources.cores or 1, resources.gpus or 0.0, options.jobs
    slots = _least(cluster.slots(cores, gpus), jobs, remaining)
    return cluster.RayExecutor(folder.path, start, cores, gpus, resources.retries, jobs), slots


def _least(slots: int, *limits: int | None) -> int:
    return min([slots, *(limit for limit in limits if limit is not None)])
