"""Number of runs that fit on machines. Arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rumcli.errors import ConfigError


@dataclass(frozen=True)
class Machine:
    """Number of cores and GPUs of a machine."""

    cores: int
    gpus: int = 0

    def slots(self, cores: int, gpus: float) -> int:
        """Return the number of runs with the given cores and GPUs that fit on this machine."""
        if gpus == 0:
            return self.cores // cores
        # A fraction of a GPU must be on a single GPU.
        on_gpus = self.gpus * int(1 / gpus + 1e-9) if gpus < 1 else int(self.gpus // gpus)
        return min(self.cores // cores, on_gpus)


def slots(machines: Sequence[Machine], cores: int, gpus: float = 0.0) -> int:
    """Return the number of runs with the given cores and GPUs that fit on all machines.

    Raises:
        ConfigError: If a run fits on no machine.
    """
    if found := sum(machine.slots(cores, gpus) for machine in machines):
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
