"""Options of `rum train` for several devices and hosts, and training in processes other than 0."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from rumcli import backends, signals
from rumcli.cli import _keras_startup, _run_arguments
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rumcli.cli._options import OutputMode
    from rumcli.config import RunConfig
    from rumcli.signals import StopRequest
    from rumcli.training.distribution import Placement, Runtime
    from rumcli.training.process_group import ProcessGroup

_LARGEST_PORT = 65535
_ANY = ("0.0.0.0", "::")  # wildcard addresses, which other hosts cannot connect to
# Environment variables of each launcher: process index and number of processes.
_LAUNCHERS = {
    "Slurm": ("SLURM_PROCID", "SLURM_NTASKS"),
    "Open MPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    "Kubernetes": ("JOB_COMPLETION_INDEX", None),
}


def parse_placement(
    devices: str | None,
    coordinator: str | None,
    count: int | None,
    rank: int | None,
    timeout: float | None,
) -> Placement | None:
    """Return the requested devices and processes; None if no option requests any.

    Raises:
        ConfigError: If the options are incompatible.
    """
    from rumcli.training.distribution import AUTO, Placement

    number = _devices(devices)
    if coordinator is None:
        for flag, value in (("--processes", count), ("--process", rank), ("--timeout", timeout)):
            if value is not None:
                raise ConfigError(f"{flag} {value:g}: expected --coordinator HOST:PORT too")
        if number is None:
            return None
        return Placement(number)
    coordinator = coordinator.split(",")[0].strip()  # Keras's variable lists all hosts
    flag = f"--coordinator {coordinator}"
    if coordinator == AUTO:
        found_rank, found_count = _of_launcher(flag)
        rank, count = (found_rank if rank is None else rank), (count or found_count)
    elif count is None or rank is None:
        missing = "--processes" if count is None else "--process"
        raise ConfigError(f"{flag}: expected {missing} too; see docs/distributed.md")
    else:
        _check_address(coordinator)
    if count is not None and count < 1:
        raise ConfigError(f"--processes {count}: expected at least 1")
    if rank < 0 or (count is not None and rank >= count):
        expected = "at least 0" if count is None else f"0 to {count - 1}"
        raise ConfigError(f"--process {rank}: expected {expected}")
    if timeout is not None and not 0 < timeout < 1e6:
        raise ConfigError(f"--timeout {timeout:g}: expected seconds above 0 and below 1,000,000")
    if count == 1:
        return None if number is None else Placement(number)
    return Placement(number, coordinator, count, rank, 300.0 if timeout is None else timeout)


def require_jax(flag: str) -> None:
    """Check that the backend is JAX, without importing it.

    Raises:
        ConfigError: If it is another one, or is not installed.
    """
    name = backends.name()
    if name != "jax":
        raise ConfigError(
            f"{flag}: several devices require the JAX backend, not '{name}'; run: "
            f"KERAS_BACKEND=jax rum train … {flag}"
        )
    backends.require()


def check(placement: Placement | None, run: RunConfig | None) -> None:
    """Check the placement as far as possible before JAX starts.

    Args:
        placement: Devices and processes; None for one device.
        run: Configuration of the run; None if it is not available yet.

    Raises:
        ConfigError: If the backend is not JAX, or the devices cannot share the batches of the run.
    """
    from rumcli.training import process_group

    if placement is None:
        return
    where = placement.coordinator and f"--coordinator {placement.coordinator}"
    require_jax(where or f"--devices {placement.devices}")
    if run is None or placement.count is None or placement.devices == "all":
        return
    number = placement.devices if isinstance(placement.devices, int) else 1
    process_group.check_batch(run, number * placement.count, _flag(placement))


def runtime(
    placement: Placement | None, request: StopRequest, output: OutputMode, hint: str = ""
) -> Runtime:
    """Return the runtime of this process, which waits for the other processes when it starts.

    Args:
        placement: Devices and processes; None for one device.
        request: Stop request.
        output: Output mode for messages.
        hint: Text with the command that resumes the run, appended to messages about a stop or a
            lost process.
    """
    from rumcli.training.distribution import Placement, Runtime

    def check_stop() -> None:
        if request.signal is not None:
            console.note(f"stopped before the first step{hint}")
            raise SystemExit(128 + request.signal)

    placement = placement or Placement()
    if placement.coordinator is not None and not output.quiet and placement.rank == 0:
        number = "the" if placement.count is None else placement.count - 1
        console.note(f"waiting at {placement.coordinator} for {number} other processes")
    started = Runtime(placement, console.complain, check_stop, hint, output.debug)
    started.watch()  # before anything else captures native output
    return started


def agree(placement: Placement, run: RunConfig | None, group: ProcessGroup) -> RunConfig | None:
    """Return the common configuration of the run after all processes have joined.

    Args:
        placement: Devices and processes.
        run: Configuration of this process. None in process 0 means that the run is finished. None
            in another process selects that of process 0, for a resumed run whose directory is on
            another host.
        group: Process group.

    Returns:
        The configuration; None if the run is finished.

    Raises:
        ConfigError: If the settings or versions of the processes differ, or their devices cannot
            share the batches.
    """
    from rumcli import config
    from rumcli.training import process_group, run_environment

    text = group.broadcast(config.to_yaml(run).encode() if run else b"").decode()
    if not text:
        return None
    common = config.from_text(text, "the configuration of process 0")
    keys = config.differences(common, run) if run is not None else []
    differing = ", ".join(".".join(key) for key in keys if key != ("task", "data"))
    group.check_equal(
        repr([process_group.settings(run or common), placement.count]).encode(),
        "the configuration",
        f"{f' in {differing}' if differing else ''}; give every process the same options",
        ConfigError,
    )
    group.check_equal(
        repr(run_environment.versions()).encode(),
        "the installation",
        "; expected the same versions of rumcli, keras, jax and numpy on every host",
        ConfigError,
    )
    process_group.check_batch(common, group.devices, _flag(placement))
    return run or common


def follow(
    placement: Placement,
    run: RunConfig | None,
    data: str | None,
    trusted: bool,
    typed: Sequence[str],
    output: OutputMode,
) -> None:
    """Train in a process that does not own the run directory.

    Args:
        placement: Devices and processes.
        run: Configuration; None for that of process 0.
        data: Path of the text or stories on this host; None for the path of process 0.
        trusted: Whether the user trusts all code named in the configuration.
        typed: Code named on the command line.
        output: Output mode for messages.
    """
    from rumcli.training import dataset_binding
    from rumcli.training.callback import RunStopped
    from rumcli.training.listeners import Listener

    dataset = dataset_binding.for_training(run, None) if run is not None else None
    with signals.listening() as request:
        joined = runtime(placement, request, output)
        _keras_startup.start(output.debug, joined.start, output.quiet)
        group = joined.group
        with group.watched():
            common = agree(placement, run, group)
            if common is None:
                joined.finish()
                if not output.quiet:
                    console.note("the run is finished")
                return
            if run is None:
                common = _moved(common, data)
                _run_arguments.check_trust(common, trusted, typed)
                dataset = dataset_binding.for_training(common, None)
            _run_arguments.load_trusted(common)
            from rumcli.training.run_dir import NullRunDir
            from rumcli.training.trainer import train

            try:
                train(common, NullRunDir(), Listener(), request, dataset, (), group)
            except RunStopped as stopped:
                joined.finish()
                raise SystemExit(128 + stopped.signal) from None
            joined.finish()


def release_others(placement: Placement | None, output: OutputMode) -> None:
    """Let the other processes exit when process 0 finds that the run is finished."""
    if placement is None or placement.coordinator is None:
        return
    with signals.listening() as request:
        joined = runtime(placement, request, output)
        _keras_startup.start(output.debug, joined.start, output.quiet)
        with joined.group.watched():
            agree(placement, None, joined.group)
        joined.finish()


def _moved(run: RunConfig, data: str | None) -> RunConfig:
    """Return a configuration with the path of the text or stories on this host."""
    if data is None or not hasattr(run.task, "data"):
        return run
    return run.model_copy(update={"task": run.task.model_copy(update={"data": data})})


def _devices(text: str | None) -> int | str | None:
    if text is None or text.strip().lower() == "all":
        return text and "all"
    try:
        number = int(text)
    except ValueError:
        raise ConfigError(f"--devices {text}: expected a number or all") from None
    if number < 1:
        raise ConfigError(f"--devices {number}: expected at least 1")
    return number


def _of_launcher(flag: str) -> tuple[int, int | None]:
    """Return process index and count from the environment variables of a launcher."""
    for rank_variable, count_variable in _LAUNCHERS.values():
        if rank_variable in os.environ:
            size = os.environ.get(count_variable, "") if count_variable else ""
            value = os.environ[rank_variable]
            if not value.isdecimal():
                raise ConfigError(
                    f"environment variable {rank_variable}={value}: expected a number"
                )
            return int(value), int(size) if size.isdecimal() else None
    launchers = ", ".join(
        f"{name} ({rank_variable})" for name, (rank_variable, _) in _LAUNCHERS.items()
    )
    raise ConfigError(
        f"{flag}: no launcher found: {launchers}; without one: --coordinator HOST:PORT --processes "
        "N --process I"
    )


def _check_address(text: str) -> None:
    host, _, port = text.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise ConfigError(f"--coordinator {text}: expected HOST:PORT, or auto")
    host = host.strip("[]")
    if host in _ANY:
        raise ConfigError(
            f"--coordinator {text}: expected the address of process 0, to which the others connect"
        )
    try:
        socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"--coordinator {text}: unknown host: {reason}") from error


def _flag(placement: Placement) -> str:
    flags = [f"--devices {placement.devices}"] if placement.devices is not None else []
    if placement.count != 1:
        flags.append(f"--processes {placement.count or 'auto'}")
    return " ".join(flags)
