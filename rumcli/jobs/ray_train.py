"""One run on several workers of a Ray cluster, through Ray Train.

If a worker dies, Ray restarts all workers, and the run resumes from the newest checkpoint in its
run directory. Ray's own storage is deleted.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rumcli import signals
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RumError, RunError
from rumcli.jobs import cluster, worker
from rumcli.signals import StopRequest
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir

_MAX_RESTARTS = 3  # after the loss of a worker or node
_EXCHANGE_SECONDS = 0.5  # seconds between two exchanges of messages
_INHERITED = ("JAX_PLATFORMS",)
_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TRAIN_V2_ENABLED": "1"}

# Starts Keras and custom code in a worker. Arguments: the configuration of the run, and a function
# that starts JAX's runtime.
Start = Callable[[RunConfig, Callable[[], None]], None]


class Mailbox:
    """Ray actor that connects the worker of process 0 with the command that started the run."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, Any]] = []
        self._signal: int | None = None

    def exchange(self, messages: list[tuple[str, Any]]) -> int | None:
        """Add messages; return the signal that requests a stop."""
        self._messages += messages
        return self._signal

    def take(self, signal: int | None) -> list[tuple[str, Any]]:
        """Return the messages since the last call.

        Args:
            signal: Number of the signal that requests a stop; None without one.
        """
        self._signal = signal
        messages, self._messages = self._messages, []
        return messages


def run(
    run: RunConfig,
    run_dir: RunDir,
    address: str,
    workers: int,
    listener: Listener,
    start: Start,
    debug: bool,
) -> tuple[str, Any]:
    """Train on a cluster; a signal requests a stop.

    Args:
        run: Configuration of the run.
        run_dir: Run directory, which must have the same path on all nodes.
        address: Address HOST:PORT of a running cluster, `"local"` or `"auto"`.
        workers: Number of processes.
        listener: Receives the progress of process 0.
        start: Starts the dependencies of a worker.
        debug: Whether to show the output of Ray and its processes.

    Returns:
        `("finished", summary)`, or `("stopped", (step, signal))`.

    Raises:
        ConfigError: If the cluster cannot be used, or the configuration is invalid.
        RunError: If the run failed.
    """
    os.environ.update(_ENVIRONMENT)
    cores = max(workers, os.cpu_count() or 1)
    with contextlib.ExitStack() as stack:
        stack.enter_context(cluster.connected(address, debug, "--ray", cores))
        storage = stack.enter_context(_storage(run_dir))
        request = stack.enter_context(signals.listening())  # after Ray's SIGTERM handler
        import ray

        resources = _resources(workers)
        mailbox = ray.remote(num_cpus=0)(Mailbox).remote()
        settings = {
            "run": run,
            "folder": str(run_dir.path.resolve()),
            "mailbox": mailbox,
            "host": "127.0.0.1" if address == cluster.LOCAL else None,
            "working_dir": str(Path.cwd()),
            "environment": _environment(),
            "start": start,
        }
        ended: queue.Queue[Exception | None] = queue.Queue()
        arguments = (settings, workers, resources, storage, ended)
        # In a thread, because in the main thread Ray handles Ctrl-C itself.
        threading.Thread(target=_fit, args=arguments, daemon=True).start()
        return _follow(mailbox, listener, request, ended)


def _follow(
    mailbox: Any,
    listener: Listener,
    request: StopRequest,
    ended: queue.Queue[Exception | None],
) -> tuple[str, Any]:
    import ray

    outcome: tuple[str, Any] | None = None
    error: Exception | None = None
    is_over = False
    try:
        while not is_over:
            with contextlib.suppress(queue.Empty):
                error = ended.get(timeout=_EXCHANGE_SECONDS)
                is_over = True
            for kind, content in ray.get(mailbox.take.remote(request.signal)):
                if kind in ("finished", "stopped", "failed"):
                    outcome = (kind, content)
                else:
                    getattr(listener, kind)(*content)
    finally:
        listener.ended()
    if outcome is not None and outcome[0] == "failed":
        message, exit_code = outcome[1]
        raise ConfigError(message) if exit_code == ConfigError.exit_code else RunError(message)
    if outcome is None:
        lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
        reason = lines[-1][:300] if lines else "no reason given"
        raise RunError(f"Ray Train ended the run, after at most {_MAX_RESTARTS} restarts: {reason}")
    return outcome


def _fit(
    settings: dict[str, Any],
    workers: int,
    resources: dict[str, float],
    storage: str,
    ended: queue.Queue[Exception | None],
) -> None:
    error: Exception | None = None
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.v2.jax import JaxConfig, JaxTrainer

        JaxTrainer(
            _work,
            train_loop_config=settings,
            # The run starts JAX's runtime itself, as it does without Ray.
            jax_config=JaxConfig(),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu="GPU" in resources,
                resources_per_worker=resources,
                placement_strategy="SPREAD",
            ),
            run_config=RunConfig(
                name="train",
                storage_path=storage,
                failure_config=FailureConfig(max_failures=_MAX_RESTARTS),
            ),
        ).fit()
    except Exception as raised:  # else the thread would lose it
        error = raised
    ended.put(error)


def _work(settings: dict[str, Any]) -> None:
    """Train in one Ray worker."""
    import ray
    import ray.train

    context = ray.train.get_context()
    rank, count = context.get_world_rank(), context.get_world_size()
    os.environ.update(settings["environment"])
    with contextlib.suppress(OSError):  # path of custom code; may be missing on another machine
        os.chdir(settings["working_dir"])
    address = _agree_on_address(rank, settings["host"])
    request = StopRequest()
    sender = _Sender(settings["mailbox"], request, rank == 0)
    try:
        outcome = _train(settings, rank, count, address, sender, request)
    except RumError as error:
        from rumcli.training.process_group import LostError

        if isinstance(error, LostError):
            raise  # Ray restarts all workers
        outcome = ("failed", (str(error), error.exit_code))
    sender.end(outcome)


def _train(
    settings: dict[str, Any],
    rank: int,
    count: int,
    address: str,
    sender: _Sender,
    request: StopRequest,
) -> tuple[str, Any]:
    from rumcli.training import dataset_binding
    from rumcli.training.callback import RunStopped
    from rumcli.training.distribution import Placement, Runtime
    from rumcli.training.run_dir import NullRunDir
    from rumcli.training.trainer import train

    run = settings["run"]
    shared_dir = RunDir(Path(settings["folder"]))
    if rank == 0 and not shared_dir.path.is_dir():
        raise ConfigError(
            f"{shared_dir.path}: not on this node; expected a run directory on a shared file "
            "system, as in --out /shared/runs/1"
        )
    runtime = Runtime(Placement("all", address, count, rank), lambda message: None)
    with contextlib.ExitStack() as stack:
        if rank == 0:
            stack.enter_context(worker.held(shared_dir, lambda: request.signal is not None))
        dataset = dataset_binding.for_training(run, shared_dir if rank == 0 else None)
        settings["start"](run, runtime.start)
        group = runtime.group
        run_dir = shared_dir if rank == 0 else NullRunDir()
        try:
            with group.watched():
                summary = train(run, run_dir, sender, request, dataset, (), group)
        except RunStopped as stopped:
            return "stopped", (stopped.step, stopped.signal)
        runtime.finish()
        return "finished", summary


class _Sender(Listener):
    """Listener that sends the progress of process 0; others only receive signals.

    Args:
        mailbox: Mailbox actor.
        request: Receives the signal that requests a stop.
        is_first: Whether this is process 0.
    """

    def __init__(self, mailbox: Any, request: StopRequest, is_first: bool) -> None:
        self._mailbox = mailbox
        self._request = request
        self._is_first = is_first
        self._lock = threading.Lock()
        self._messages: list[tuple[str, Any]] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._exchange, daemon=True)
        self._thread.start()

    def started(self, plan: Any) -> None:
        self._add("started", plan)

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        with self._lock:
            if self._messages and self._messages[-1][0] == "stepped":
                self._messages.pop()  # only the latest one is shown
        self._add("stepped", step, logs)

    def evaluated(self, record: dict[str, Any]) -> None:
        self._add("evaluated", record)

    def warned(self, message: str) -> None:
        self._add("warned", message)

    def testing(self) -> None:
        self._add("testing")

    def end(self, outcome: tuple[str, Any]) -> None:
        """Send the result of the run."""
        kind, content = outcome
        if self._is_first or kind == "failed":
            self._messages.append((kind, content))
        self._ending.set()
        self._thread.join()

    def _add(self, kind: str, *content: Any) -> None:
        if self._is_first:
            with self._lock:
                self._messages.append((kind, content))

    def _exchange(self) -> None:
        import ray

        is_last = False
        while not is_last:
            is_last = self._ending.wait(_EXCHANGE_SECONDS)
            with self._lock:
                messages, self._messages = self._messages, []
            signal = ray.get(self._mailbox.exchange.remote(messages))
            if signal is not None:
                self._request.note(signal)


def _agree_on_address(rank: int, host: str | None) -> str:
    """Return the coordinator address for this start of the workers, on the host of process 0."""
    import ray
    from ray.train.collective import broadcast_from_rank_zero

    address = None
    if rank == 0:
        host = host or ray.util.get_node_ip_address()
        with socket.socket() as probe:
            probe.bind((host, 0))
            address = f"{host}:{probe.getsockname()[1]}"
    return str(broadcast_from_rank_zero(address))


def _resources(workers: int) -> dict[str, float]:
    """Return the resources of each worker: one core, and one GPU if there are enough."""
    import ray

    total = ray.cluster_resources()
    if total.get("GPU", 0) >= workers:
        return {"CPU": 1, "GPU": 1}
    if total.get("CPU", 0) < workers:
        raise ConfigError(
            f"--workers {workers}: the cluster has {total.get('CPU', 0):g} cores; expected at "
            "least one for each worker"
        )
    return {"CPU": 1}


def _environment() -> dict[str, str]:
    passed = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**worker.environment(), **passed}


@contextlib.contextmanager
def _storage(run_dir: RunDir) -> Iterator[str]:
    """Provide a temporary storage directory for Ray, which all nodes must be able to access."""
    path = run_dir.path.resolve() / "ray"
    shutil.rmtree(path, ignore_errors=True)
    try:
        yield str(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
