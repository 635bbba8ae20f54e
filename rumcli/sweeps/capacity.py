"""How many runs machines have room for. Arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rumcli.errors import ConfigError


@dataclass(frozen=True)
class Machine:
    """What a machine has.

    Attributes:
        cores: Processor cores.
        gpus: Graphics processors.
    """

    cores: int
    gpus: int = 0


def slots(machines: Sequence[Machine], cores: int, gpus: float = 0.0) -> int:
    """Return how many runs there can be at the same time.

    Args:
        machines: Those of the cluster.
        cores: Of each run.
        gpus: Of each run; one below 1 is shared by several runs, above it they are whole.

    Raises:
        ConfigError: If no machine has as much.
    """
    found = sum(_on(machine, cores, gpus) for machine in machines)
    if found:
        return found
    largest = max((machine.cores for machine in machines), default=0)
    if largest < cores:
        raise ConfigError(
            f"cores_per_run: {cores}, but no machine has as many; the largest has {largest}"
        )
    most = max((machine.gpus for machine in machines), default=0)
    if most < gpus:
        raise ConfigError(
            f"gpus_per_run: {gpus:g}, but no machine has as many; the one with the most has {most}"
        )
    raise ConfigError(f"cores_per_run: {cores} and gpus_per_run: {gpus:g}, but no machine has both")


def _on(machine: Machine, cores: int, gpus: float) -> int:
    room = machine.cores // cores
    if gpus == 0:
        return room
    # A run's part of a GPU is on one of them.
    on_gpus = machine.gpus * int(1 / gpus + 1e-9) if gpus < 1 else int(machine.gpus // gpus)
    return min(room, on_gpus)
