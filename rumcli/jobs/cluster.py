"""Executor on a Ray cluster, with a Ray Tune trial for each run.

Ray stores no state of a run. If a process or machine dies, another one continues from the last
checkpoint in the run directory, which must have the same path on all machines.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rumcli import atomic_io, errors
from rumcli.errors import ConfigError, RunError
from rumcli.jobs import job_spec, worker
from rumcli.jobs.engine import Engine
from rumcli.jobs.job_folder import STOP
from rumcli.jobs.job_spec import Machine, RunProgress
from rumcli.jobs.worker import Start
from rumcli.training.run_dir import RunDir

LOCAL = "local"
_MAX_PORT = 65535
_OBJECT_STORE_BYTES = 80 * 2**20  # Ray's minimum; only small objects are stored
_CONNECT_TIMEOUT = 5.0
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # `StopRequest` handles it
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
}


def check_address(address: str, flag: str = "--address") -> None:
    """Check that a server listens at an address; Ray would retry for minutes.

    Args:
        address: Address HOST:PORT, or auto.
        flag: Option that sets the address.

    Raises:
        ConfigError: If it is not the address of a cluster, or no server listens there.
    """
    if address == "auto":
        return
    where = errors.option(flag, address)
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or int(port) > _MAX_PORT:
        raise ConfigError(f"{where}: expected HOST:PORT, as 'ray start' shows, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT).close()
    except OSError as error:
        raise ConfigError(
            f"{where}: no server listens there: {error.strerror or error}; to start a "
            "cluster: ray start --head"
        ) from error


@contextlib.contextmanager
def connected(
    address: str, debug: bool, flag: str = "--address", cores: int | None = None
) -> Iterator[None]:
    """Connect to a cluster, or start a local one, for the duration of the block.

    Args:
        address: Address of a running cluster, or `"auto"`; `"local"` starts one on this machine.
        debug: Whether to show the output of Ray and its processes.
        flag: Option that selects the cluster.
        cores: Number of cores of a local cluster.

    Raises:
        ConfigError: If the connection fails.
        SystemExit: With 143 on SIGTERM during the connection.
    """
    os.environ.update(_ENVIRONMENT)
    if address == LOCAL:
        # A token for this command only; without one, Ray writes a token to the home directory.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    else:  # `check_address` succeeded, so fewer attempts than Ray's default of 20
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")
    import ray  # reads these variables

    level = logging.WARNING if debug else logging.CRITICAL
    with contextlib.ExitStack() as stack:
        # Ray reports dead processes on stdout, which may be reserved for a result.
        place = sys.stderr if debug else stack.enter_context(Path(os.devnull).open("w"))
        stack.enter_context(contextlib.redirect_stdout(place))
        options: dict[str, Any] = {"logging_level": level, "log_to_driver": debug}
        if address == LOCAL:
            # A short path, because socket names are limited to 107 bytes.
            short = "/tmp" if os.name == "posix" else None
            state = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="rum-", dir=short, ignore_cleanup_errors=True)
            )
            options |= {
                "num_cpus": cores,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_temp_dir": state,
            }
            options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        stack.callback(ray.shutdown)
        before = signal.getsignal(signal.SIGTERM)
        try:
            with contextlib.nullcontext() if debug else _without_stderr():
                ray.init(address, **options)
        except SystemExit:  # Ray's own SIGTERM handler exits with 1 or 15
            raise SystemExit(128 + signal.SIGTERM) from None
        except Exception as error:  # Ray may raise bare exceptions, as after a timeout
            line = " ".join(str(error).split())[:300]
            if isinstance(error, UnicodeEncodeError):
                line = (
                    f"the name of {Path.cwd()} is not valid Unicode; start from another directory"
                )
            raise ConfigError(
                f"{flag} {address}: can't connect to Ray: {line}; expected a running cluster, "
                "and for one with token authentication RAY_AUTH_MODE=token and its token in "
                "~/.ray/auth_token"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread() and before is not None:
                signal.signal(signal.SIGTERM, before)
        for name in ("ray", "ray.tune", "ray.train", "ray.data"):
            logging.getLogger(name).setLevel(level)
        yield


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Hide messages of Ray's native library about each connection attempt."""
    try:
        saved = os.dup(2)
    except OSError:  # closed, as in daemons
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def slots(cores: int, gpus: float) -> int:
    """Return the number of runs with the given cores and GPUs that fit on the cluster.

    Raises:
        ConfigError: If a run fits on no machine.
    """
    import ray

    machines = [
        Machine(int(node["Resources"].get("CPU", 0)), int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]
    return job_spec.slots(machines, cores, gpus)


class RayExecutor:
    """Executor on the cluster to which this process is connected.

    Args:
        folder: Directory of the set, on a file system shared by all machines.
        start: Imports the dependencies of a run.
        cores: Number of cores of each run.
        gpus: Number of GPUs of each run.
        retries: Maximum number of restarts of a run after its process or machine died.
        jobs: Maximum number of concurrent runs; None for the capacity of the cluster.
    """

    def __init__(
        self, folder: Path, start: Start, cores: int, gpus: float, retries: int, jobs: int | None
    ) -> None:
        self._folder = folder
        self._start = start
        self._cores = cores
        self._gpus = gpus
        self._retries = retries
        self._jobs = jobs

    def run(self, engine: Engine) -> None:
        """Execute the runs that the engine starts, until there are no more.

        Raises:
            RunError: If Ray Tune ended before that.
        """
        from ray import tune

        from rumcli.jobs.ray_tune import Runs, Watch

        common = {
            "working_dir": str(Path.cwd()),
            "command": sys.argv,
            "cores": self._cores,
            "environment": worker.environment() | worker.gpu_environment(self._gpus),
            "start": self._start,
        }
        runs = Runs(engine, common)
        watch = Watch(engine, runs)
        with atomic_io.reachable(self._folder.resolve()) as place:
            state = place / "ray"
            _remove_state(state)
            tuner = tune.Tuner(
                tune.with_resources(trial, {"cpu": self._cores, "gpu": self._gpus}),
                tune_config=tune.TuneConfig(
                    search_alg=runs,
                    num_samples=-1,
                    max_concurrent_trials=self._jobs,
                    reuse_actors=False,  # a new process for each run
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(
                    name="tune",
                    storage_path=str(state),
                    verbose=0,
                    callbacks=[watch],
                    stop=watch.stopper,
                    failure_config=tune.FailureConfig(max_failures=self._retries),
                ),
            )
            try:
                with converted_errors(self._folder, tune.TuneError):
                    tuner.fit()
            finally:
                _remove_state(state)


def trial(config: dict[str, Any]) -> dict[str, Any]:
    """Train a run in a Ray process on any machine of the cluster."""
    from ray import tune

    worker.prepare(config["cores"], config["environment"])
    sys.argv = config["command"]  # for the provenance; Ray's processes have their own
    with contextlib.suppress(OSError):  # path of custom code; may be missing on another machine
        os.chdir(config["working_dir"])
    folder = Path(config["folder"])

    def control() -> str:
        """Return the request in the file `stop` of the run directory."""
        try:
            return atomic_io.read_regular(folder / STOP, 100).decode()
        except OSError:
            return ""

    def report(progress: RunProgress) -> None:
        tune.report({"progress": progress})

    return {"end": worker.train(RunDir(folder), config["start"], control, report)}


@contextlib.contextmanager
def converted_errors(place: Path, kind: type[Exception]) -> Iterator[None]:
    """Convert the errors that end Ray Tune's loop to a one-line `RunError`.

    Args:
        place: Directory of the set.
        kind: Exception in which Ray Tune wraps others, with their full traceback.

    Raises:
        RunError: If the block raised one.
    """
    try:
        yield
    except OSError as error:
        raise RunError(atomic_io.cannot_write(place, error)) from error
    except kind as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        line = lines[-1][:300] if lines else "no reason given"
        raise RunError(f"Ray Tune stopped: {line}") from error


def _remove_state(state: Path) -> None:
    if state.is_symlink():
        state.unlink()
    shutil.rmtree(state, ignore_errors=True)
