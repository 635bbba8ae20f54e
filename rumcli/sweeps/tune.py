"""The search on Ray Tune: it starts the runs, tries again where one died, and stops bad ones early.

What Ray knows is thrown away at the end: the sweep's folder has all that is needed to go on, and
nothing in it has to be unpickled.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rumcli import files
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError
from rumcli.sweeps import capacity, connection
from rumcli.sweeps.capacity import Machine
from rumcli.sweeps.folder import SweepFolder
from rumcli.sweeps.listener import SweepListener
from rumcli.sweeps.plan import Description, Plan
from rumcli.sweeps.queue import Fixed, Queue
from rumcli.training import stopping
from rumcli.training.stopping import StopRequest

_LARGEST_PORT = 65535
_SECONDS_TO_ANSWER = 5.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # a stop is asked for by `StopRequest`
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # signs of life have no metric
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
}


class BrokenOffError(RunError):
    """A sweep that ended in the middle, through no fault of its runs; it can be gone on with."""


def require(plan: Plan) -> None:
    """Make sure that the packages are there that a sweep needs.

    Raises:
        ConfigError: If one is not.
    """
    needed = ["ray", *(["optuna"] if plan.description.search == "bayesian" else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"a sweep needs {' and '.join(missing)}: pip install 'rumcli[cluster]' (without it, "
            "--dry-run and --results work)"
        )


def check_address(address: str, flag: str = "--address") -> None:
    """Make sure that something answers there; Ray would try for minutes.

    Args:
        address: HOST:PORT, or auto.
        flag: Option that names it.

    Raises:
        ConfigError: If it is no address of a cluster, or nothing answers.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > _LARGEST_PORT:
        raise ConfigError(f"{flag} {address}: expected HOST:PORT, as 'ray start' shows, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise ConfigError(
            f"{flag} {address}: nothing answers there: {error.strerror or error}; to start a "
            "cluster: ray start --head"
        ) from error


@dataclass(frozen=True)
class Ending:
    """Why a sweep ended.

    Attributes:
        signal: The number of the signal that asked for it; None if none did.
        out_of_time: Whether the limit of hours was reached.
        gave_up: Why the search drew no more points, though there may be others; None if it did.
    """

    signal: int | None
    out_of_time: bool
    gave_up: str | None = None


def run(
    plan: Plan,
    folder: SweepFolder,
    listener: SweepListener,
    start: Callable[[RunConfig], None],
    cores: int,
    address: str | None = None,
    debug: bool = False,
) -> Ending:
    """Run what is left of a sweep.

    Args:
        plan: What it is.
        folder: Where; on a cluster a folder that all machines see under the same path.
        listener: Hears of the progress.
        start: Brings up what a run needs, in its process.
        cores: Of this machine, for the runs; not of a cluster.
        address: Of a Ray cluster that is running; None: on this machine.
        debug: Whether to show what Ray and its processes print.

    Raises:
        ConfigError: If there is no cluster, or no machine with enough cores and GPUs.
        BrokenOffError: If it ended in the middle, as when the disk is full.
    """
    os.environ.update(_ENVIRONMENT)
    folder.stop_file.unlink(missing_ok=True)
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(files.reachable(folder.path.resolve())) / "ray"
        if state.is_symlink():
            state.unlink()
        shutil.rmtree(state, ignore_errors=True)
        stack.enter_context(stdout_kept_clean(debug))
        stack.enter_context(connection.ray(address, cores, debug))
        slots = _slots(plan.description)
        # After Ray, which takes SIGTERM for itself.
        with stopping.listening(stopping.MANY_RUNS) as request:
            try:
                return _run(plan, folder, listener, start, state, slots, request)
            finally:
                listener.finished()
                folder.stop_file.unlink(missing_ok=True)
                shutil.rmtree(state, ignore_errors=True)


def _run(
    plan: Plan,
    folder: SweepFolder,
    listener: SweepListener,
    start: Callable[[RunConfig], None],
    state: Path,
    slots: int,
    request: StopRequest,
) -> Ending:
    from ray import tune

    from rumcli.sweeps import ray_parts
    from rumcli.sweeps.trial import Trial

    described = plan.description
    queue = Queue(plan, folder, _source(plan))
    searcher = ray_parts.Next(plan, folder, queue, start, listener)
    watch = ray_parts.Watch(folder, listener, searcher, Limits(request, described.hours))
    scheduler = None
    if described.early_stopping:
        scheduler = ray_parts.Halving(
            described.early_stopping, plan.base.train.steps, folder, searcher, queue.earlier
        )
    listener.started(str(folder.path), plan.most_runs, queue.done_before, slots)
    tuner = tune.Tuner(
        tune.with_resources(Trial, {"cpu": described.cores_per_run, "gpu": described.gpus_per_run}),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler,
            num_samples=-1,
            reuse_actors=False,  # each run in a process of its own
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(state),
            verbose=0,
            callbacks=[watch],
            stop=watch.stopper,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=described.retries),
        ),
    )
    with breaking_off(folder.path, tune.TuneError):
        tuner.fit()
    return replace(watch.limits.ending, gave_up=queue.gave_up)


@contextlib.contextmanager
def breaking_off(place: Path, kind: type[Exception]) -> Iterator[None]:
    """Turn what ends a search in the middle into one line.

    Args:
        place: The folder of the sweep.
        kind: What Ray Tune makes of an exception in its loop: one with the whole traceback.

    Raises:
        BrokenOffError: If the block ended so.
    """
    try:
        yield
    except RunError as error:
        raise BrokenOffError(str(error)) from error
    except OSError as error:
        raise BrokenOffError(files.cannot_write(place, error)) from error
    except kind as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        line = lines[-1][:300] if lines else "it does not say why"
        raise BrokenOffError(f"Ray Tune ended the search: {line}") from error


class Limits:
    """Whether a sweep is to end before all is done.

    Args:
        request: Asks for a stop.
        hours: From now; None: no limit.
    """

    def __init__(self, request: StopRequest, hours: float | None) -> None:
        self._request = request
        self._until = None if hours is None else time.monotonic() + 3600 * hours
        self._is_late = False

    @property
    def why(self) -> str | None:
        """Why it is to end now; None if it is not."""
        if self._request.signal is not None:
            return "asked to stop"
        if self._until is not None and time.monotonic() >= self._until:
            self._is_late = True
            return "the limit of hours is reached"
        return None

    @property
    def ending(self) -> Ending:
        """How it ended."""
        return Ending(self._request.signal, self._is_late)


def _source(plan: Plan) -> Any:
    fixed = plan.points()
    if fixed is not None:
        return Fixed(fixed)
    from rumcli.sweeps.bayesian import Bayesian

    return Bayesian(plan)


@contextlib.contextmanager
def stdout_kept_clean(debug: bool) -> Iterator[None]:
    """Keep off stdout what Ray prints there about processes that died: a result may follow."""
    with contextlib.ExitStack() as stack:
        if debug and sys.stderr is not None:
            place: Any = sys.stderr
        else:
            place = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(place))
        yield


def _slots(description: Description) -> int:
    """Return how many runs the cluster can have at the same time."""
    import ray

    machines = [
        Machine(int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]
    return capacity.slots(machines, description.cores_per_run, description.gpus_per_run)
