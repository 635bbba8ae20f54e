"""The processes that train one model together, as the trainer sees them.

`Group` is a process that trains alone. `collectives.Together` is one of several; both do the same,
so that nobody need ask which it is. NumPy only.
"""

from __future__ import annotations

import contextlib
import signal
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RunError

Tensor = Any
# Takes gradients of one process, and the weights that they are of.
MeanGradients = Callable[[Sequence[Tensor], Sequence[Any]], Sequence[Tensor]]

# Those that may ask for a stop, in the order in which they count; Windows has no SIGHUP.
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
_SEED_STEP = 0x9E3779B1  # between the seeds of two workers; odd, so that no two are the same


class Group:
    """A process that trains alone; base of one that has others beside it.

    Attributes:
        count: Number of processes, N.
        rank: Number of this one, from 0; the first one is the chief, who has the run folder.
    """

    count = 1
    rank = 0

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum over all processes, in float64; all have to ask, in the same order."""
        return np.asarray(values, "float64")

    def mean_gradients(self) -> MeanGradients | None:
        """Return what makes the gradients' means over all processes of one's own; None: nothing."""
        return None

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn what the block raises because another process is gone into one line.

        Raises:
            RunError: If one is gone.
        """
        yield

    def share(self, size: int) -> slice:
        """Return which rows of `size`, of a whole batch, are this process's."""
        part = size // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the mean of each value over all processes."""
        if self.count == 1:
            return dict(values)
        total = self.sum(np.array(list(values.values())))
        return dict(zip(values, (total / self.count).tolist(), strict=True))

    def agree(
        self, values: Mapping[str, float], asked: int | None
    ) -> tuple[dict[str, float], int | None]:
        """Return the means, and the signal that asked any of the processes for a stop.

        Args:
            values: Of this process.
            asked: The signal that asked this process, or None.
        """
        if self.count == 1:
            return dict(values), asked
        flags = {str(number): float(asked == number) for number in _SIGNALS}
        found = self.mean({**values, **flags})
        asking = [number for number in _SIGNALS if found[str(number)] > 0]
        means = {name: found[name] for name in values}
        return means, int(asking[0]) if asking else None

    def latest(self, agreed: int | None, asked: int | None) -> int | None:
        """Return the signal to obey: that agreed on, or for a process alone, also a later one."""
        return asked if self.count == 1 else agreed

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Put the rows of all processes together again, in their order."""
        if self.count == 1:
            return rows
        whole = np.zeros((len(rows) * self.count, *rows.shape[1:]))
        whole[self.share(len(whole))] = rows
        return self.sum(whole).astype(rows.dtype)

    def from_chief(self, array: np.ndarray) -> np.ndarray:
        """Return the chief's array; the others give one of the same shape and type."""
        if self.count == 1:
            return array
        mine = array if self.rank == 0 else np.zeros_like(array)
        return self.sum(mine).astype(array.dtype)

    def check_equal(self, arrays: Sequence[np.ndarray], what: str) -> None:
        """Make sure that all processes have the same arrays, to the last bit.

        Args:
            arrays: Of this process.
            what: They are, in the plural.

        Raises:
            RunError: If they differ.
        """
        if self.count == 1:
            return
        digest = 0
        for array in arrays:
            digest = zlib.crc32(np.ascontiguousarray(array).tobytes(), digest)
        digests = self.gather(np.array([float(digest)]))
        differing = [str(rank) for rank, other in enumerate(digests) if other != digests[0]]
        if differing:
            raise RunError(
                f"the {what} of worker {', '.join(differing)} are not those of worker 0; all need "
                "the same data, versions and kind of processor"
            )

    def seed(self, state: np.ndarray) -> np.ndarray:
        """Return the state of a random generator of this process, from that of the chief's."""
        moved = state.astype("uint64")
        moved[0] += self.rank * _SEED_STEP
        return (moved % 2**32).astype(state.dtype)


ALONE = Group()


def check(run: RunConfig, count: int) -> None:
    """Make sure that `count` processes can share a run.

    Raises:
        ConfigError: If they can't.
    """
    batch_size = run.train.batch_size
    if batch_size % count:
        lower = batch_size - batch_size % count
        near = [str(size) for size in (lower, lower + count) if size > 0]
        raise ConfigError(
            f"--workers {count}: a batch of {batch_size} can't be shared evenly; try --batch-size "
            f"{' or '.join(near)}, or another number of workers"
        )
    # Keras leaves a step out where its scaled gradient overflows, before the others' are added.
    if run.precision == "mixed_float16":
        raise ConfigError(
            f"--workers {count}: precision mixed_float16 can't be shared; mixed_bfloat16 can"
        )
