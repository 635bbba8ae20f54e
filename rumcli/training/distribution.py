"""Data-parallel training on several devices and processes, with JAX and Keras's `DataParallel`.

Every device holds all weights and receives an equal part of each batch. `jax.distributed` connects
the processes.

JAX reports a lost process by aborting the other processes: its client writes many lines to stderr
and calls `abort()` in its own thread; it has no other notification. The report is captured, and the
abort is turned into one line and an exit code.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import math
import os
import re
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

from rumcli import errors
from rumcli.errors import ConfigError, RumError, RunError
from rumcli.training.process_group import ProcessGroup

_GRACE = 5.0  # seconds for the main thread to end before the process is terminated
_GONE = re.compile(r"stopped sending heartbeats\):\s*((?:\d+[\s,]+)+)")
_LOST = "another process of the run ended or cannot be reached"
_NETWORK_ERRORS = ("Gloo", "NCCL", "UNAVAILABLE", "coordination service")
_DUPLICATE_PROCESS = ("ALREADY_EXISTS", "different incarnation", "already in error")

AUTO = "auto"  # JAX detects the coordinator from the cluster's environment
ALL = "all"
_HEARTBEAT = 30  # seconds without a heartbeat after which a process counts as lost
_SHUTDOWN = 30  # seconds for all processes to end once the run is finished
_LATE = 60.0  # seconds by which JAX's deadlines are later than ours
_BIND = "JAX_COORDINATOR_BIND_ADDRESS"


class PeerMonitor:
    """Monitor for the loss of other processes, from `watch` to the end of this process.

    Args:
        report: Callback that prints an error when the main thread cannot raise it.
        hint: Text appended to the message about a lost process, such as how to resume.
        shown: Whether native messages stay visible. The reason of an abort is then unavailable.
    """

    def __init__(self, report: Callable[[str], None], hint: str = "", shown: bool = False) -> None:
        self._report = report
        self._hint = hint
        self._held: IO[bytes] | None = None if shown else tempfile.TemporaryFile()  # noqa: SIM115
        self._handler: Any = None  # a C function that must not be collected
        self._error: RumError | None = None
        self.is_over = False  # run finished: an abort is ignored

    def watch(self) -> None:
        """Capture the output of native code, and handle its aborts."""
        if self._held is not None:
            for number, name in ((1, "stdout"), (2, "stderr")):
                _redirect(number, name, self._held)
        if hasattr(signal, "SIGABRT") and os.name == "posix":
            self._handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._on_abort)
            # Not `signal.signal`: Python runs its handlers later, and `abort` does not wait.
            libc = ctypes.CDLL(None)
            libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
            libc.signal.restype = ctypes.c_void_p
            libc.signal(signal.SIGABRT, ctypes.cast(self._handler, ctypes.c_void_p))

    @property
    def error(self) -> RumError | None:
        """Error that ends this process; None until JAX reports the loss of another one."""
        return self._error

    def reason(self, error: Exception) -> str | None:
        """Return the message about the lost process that caused an exception.

        Args:
            error: Exception from a collective operation.

        Returns:
            The message; None if the exception has another cause.
        """
        # JAX raises a ValueError or a JaxRuntimeError, depending on the call.
        is_network_error = any(word in str(error) for word in _NETWORK_ERRORS)
        for _ in range(20 if is_network_error else 1):  # the report may be delayed
            if self._error is not None:
                return str(self._error)
            time.sleep(0.05)
        return f"{_LOST}{self._hint}" if is_network_error else None

    def _on_abort(self, number: int) -> None:
        if self.is_over:
            threading.Event().wait()
        self._error = explain_peer_failure(self._report_of_jax(), self._hint)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(_GRACE)
        self._report(str(self._error))
        os._exit(self._error.exit_code)

    def _report_of_jax(self) -> str:
        if sys.platform == "win32":  # no `pread`
            return ""
        with contextlib.suppress(OSError):  # shown in a terminal
            if self._held is not None:
                # Not `_held`: while the backend starts, stderr is redirected elsewhere.
                return os.pread(2, os.fstat(2).st_size, 0).decode(errors="replace")
        return ""


def explain_peer_failure(report: str, hint: str = "") -> RumError:
    """Return the error for an abort of native code.

    Args:
        report: Text that native code printed; empty if unknown.
        hint: Text appended to the message about a lost process.

    Returns:
        Error with a message of one line.
    """
    if any(words in report for words in _DUPLICATE_PROCESS):
        return ConfigError(
            "two processes have the same number; expected --process 0, --process 1 and so on"
        )
    if gone := _GONE.search(report):
        numbers = ", ".join(re.findall(r"\d+", gone.group(1)))
        return RunError(f"process {numbers} ended or cannot be reached{hint}")
    if "Failed to send RPC to coordination service" in report:
        return RunError(f"process 0 ended or cannot be reached{hint}")
    if not report or "JAX distributed service" in report:
        return RunError(f"{_LOST}{hint}")
    line = next((line for line in reversed(report.splitlines()) if line.strip()), "")
    return RunError(f"the backend aborted: {line[:300]}; run again with --debug for its messages")


def _redirect(number: int, name: str, held: IO[bytes]) -> None:
    """Redirect the native output of a file descriptor; Python's stream is unaffected."""
    stream = getattr(sys, name)
    if stream is None:  # closed, as in a daemon
        return
    stream.flush()
    try:
        kept = os.dup(number)
    except OSError:
        return
    os.dup2(held.fileno(), number)
    attributes = {"encoding": stream.encoding, "errors": stream.errors}
    binary = io.BufferedWriter(io.FileIO(kept, "w"))
    setattr(sys, name, io.TextIOWrapper(binary, line_buffering=True, **attributes))


@dataclass(frozen=True)
class Placement:
    """Devices and processes of a run.

    Attributes:
        devices: Number of devices per process, or `"all"`. None: all devices in a group, the
            first one in a single process.
        coordinator: HOST:PORT at which process 0 listens, or `"auto"`; None for one process.
        count: Number of processes; None: detected from the cluster.
        rank: Index of this process, from 0.
        timeout: Seconds within which all processes must join.
    """

    devices: int | str | None = None
    coordinator: str | None = None
    count: int | None = 1
    rank: int = 0
    timeout: float = 300.0


class Runtime:
    """JAX's runtime for a placement, from its start to the end of the process.

    Args:
        placement: Devices and processes.
        report: Callback that prints an error when the main thread cannot raise it.
        poll: Callback called repeatedly while waiting for other processes; may raise to stop.
        hint: Text appended to the message about a lost process.
        debug: Whether native messages stay visible.
    """

    def __init__(
        self,
        placement: Placement,
        report: Callable[[str], None],
        poll: Callable[[], None] = lambda: None,
        hint: str = "",
        debug: bool = False,
    ) -> None:
        self._placement = placement
        self._poll = poll
        self._peers = PeerMonitor(report, hint, debug)
        self.group = ProcessGroup()

    def watch(self) -> None:
        """Capture JAX's reports about other processes, in a group of several."""
        if self._placement.coordinator is not None:
            self._peers.watch()

    def start(self) -> None:
        """Start JAX, join the other processes, and set Keras's global distribution.

        Raises:
            ConfigError: If not all processes join in time, or a process has too few devices.
        """
        placement = self._placement
        if placement == Placement():
            return
        import jax

        if isinstance(placement.devices, int):
            # JAX can split a CPU into any number of devices, each with its own threads. Limit it
            # to one per core, but at least two.
            most = max(2, os.cpu_count() or 1)
            jax.config.update("jax_num_cpu_devices", min(placement.devices, most))
        if placement.coordinator is not None:
            global _joined  # JAX's runtime belongs to the process, not to an object
            _joined = True
            self._join()
        self._distribute()

    def finish(self) -> None:
        """Leave the group once the run is finished; JAX waits for all processes."""
        self._peers.is_over = True
        if self.group.count > 1 and self._peers.error is None:
            import jax

            with contextlib.suppress(Exception):  # a process is lost, but the run is finished
                jax.distributed.shutdown()

    def _join(self) -> None:
        import jax

        # This service would intercept SIGTERM, and the run would not be saved.
        jax.config.update("jax_enable_preemption_service", False)
        placement = self._placement
        options: dict[str, Any] = {
            "heartbeat_timeout_seconds": _HEARTBEAT,
            "shutdown_timeout_seconds": _SHUTDOWN,
            "initialization_timeout": math.ceil(placement.timeout + _LATE),
        }
        if placement.coordinator != AUTO:
            options["coordinator_address"] = placement.coordinator
            options["num_processes"], options["process_id"] = placement.count, placement.rank
            options["cluster_detection_method"] = "deactivate"
            if placement.rank == 0 and _BIND not in os.environ:
                options["coordinator_bind_address"] = placement.coordinator
                check_free(str(placement.coordinator))
        failures: list[Exception] = []

        def initialize() -> None:
            try:
                jax.distributed.initialize(**options)
            except Exception as error:
                failures.append(error)

        # In a thread: it blocks while a process is missing, and finally aborts.
        thread = threading.Thread(target=initialize, name="join", daemon=True)
        thread.start()
        deadline = time.monotonic() + placement.timeout
        while thread.is_alive():
            self._poll()
            if self._peers.error is not None:
                raise self._peers.error
            if time.monotonic() > deadline:
                raise ConfigError(_join_timeout(placement))
            thread.join(0.05)
        if failures:
            message = errors.one_line(failures[0])
            raise ConfigError(f"--coordinator {placement.coordinator}: {message}") from failures[0]
        _listen_at(_own_address(_coordinator_of(jax, placement)))

    def _distribute(self) -> None:
        import jax
        import keras

        devices = self._chosen(jax)
        if len(devices) == 1:
            return
        names = [f"{device.platform}:{device.id}" for device in devices]
        rows = _rows(keras)(devices=names, auto_shard_dataset=False)
        keras.distribution.set_distribution(rows)
        self.group = ProcessGroup(
            rank=jax.process_index(),
            count=jax.process_count(),
            devices=len(devices),
            loss=self._peers.reason,
            set_replicated=functools.partial(setattr, rows, "is_replicated"),
        )

    def _chosen(self, jax: Any) -> list[Any]:
        """Return the devices of all processes, in the order of the batch's rows."""
        wanted, count = self._placement.devices, jax.process_count()
        found = [[d for d in jax.devices() if d.process_index == rank] for rank in range(count)]
        if wanted is None and count == 1:
            return jax.devices()[:1]
        fewest = min(map(len, found))
        number = wanted if isinstance(wanted, int) else fewest
        if number > fewest:
            kind = jax.devices()[0].platform.upper()
            raise ConfigError(
                f"--devices {number}: a process has {fewest} devices ({kind}); expected at most "
                f"{fewest}, or --devices all"
            )
        if any(len(local) != fewest for local in found):
            numbers = ", ".join(str(len(local)) for local in found)
            raise ConfigError(
                f"the processes have {numbers} devices; expected the same number in each: set "
                "CUDA_VISIBLE_DEVICES, or run one process on each device"
            )
        return [device for local in found for device in local[:number]]


_joined = False


def has_joined() -> bool:
    """Return whether this process has joined a group, for which JAX would wait at exit."""
    return _joined


def _rows(keras: Any) -> type:
    class Rows(keras.distribution.DataParallel):
        """Data parallelism that replicates batches which cannot be split evenly."""

        is_replicated = False

        def get_data_layout(self, data_shape: Any) -> Any:
            if not self.is_replicated:
                return super().get_data_layout(data_shape)
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)

    return Rows


def check_free(address: str) -> None:
    """Check that a port of this machine is free.

    Args:
        address: HOST:PORT.

    Raises:
        ConfigError: If another process listens there, or HOST is not this machine.
    """
    host, port = split(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # JAX would share the port with another coordinator, and both would time out.
        with socket.socket(family) as probe:
            probe.bind((host, port))
    except OSError as error:
        raise ConfigError(
            f"--coordinator {address}: process 0 cannot listen there: "
            f"{error.strerror or error}; expected a free port at an address of this machine"
        ) from error


def split(address: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port of HOST:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _join_timeout(placement: Placement) -> str:
    where = f"--coordinator {placement.coordinator}"
    number = "all" if placement.count is None else f"all {placement.count}"
    advice = "start the same command for every process, or raise --timeout"
    if placement.rank == 0:
        return f"{where}: not {number} processes joined in {placement.timeout:g} seconds; {advice}"
    return (
        f"{where}: process 0 cannot be reached there, or not {number} processes joined, in "
        f"{placement.timeout:g} seconds; {advice}"
    )


def _coordinator_of(jax: Any, placement: Placement) -> str | None:
    if placement.coordinator != AUTO:
        return placement.coordinator
    with contextlib.suppress(Exception):  # private API; without it, keep the default
        from jax._src import distributed

        return distributed.global_state.coordinator_address
    return None


def _own_address(coordinator: str | None) -> str | None:
    """Return the local address that routes to the coordinator; None if unknown."""
    if coordinator is None:
        return None
    with contextlib.suppress(OSError):
        host, port = split(coordinator)
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(place)
            return str(probe.getsockname()[0])
    return None


def _listen_at(address: str | None) -> None:
    """Make CPU collectives listen at an address instead of the one that the host name resolves to.

    The host name may resolve to a network address, or to the loopback interface of each machine.
    """
    if address is None:
        return
    with contextlib.suppress(Exception):  # private API; JAX has no option for it
        from jax._src.lib import _jax

        make = _jax.make_gloo_tcp_collectives
        _jax.make_gloo_tcp_collectives = functools.partial(make, hostname=address)
