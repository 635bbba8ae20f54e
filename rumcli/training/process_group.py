"""Communication between the processes that train one model.

All processes run the same program on JAX's global arrays, so that weights, losses and metrics are
equal everywhere. This module adds agreement on signals, broadcasts and consistency checks.
Neither Keras nor JAX is imported at module level.
"""

from __future__ import annotations

import contextlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rumcli import parsing
from rumcli.config import RunConfig
from rumcli.errors import ConfigError, RumError, RunError
from rumcli.training.checkpoint import Checkpoint


class LostError(RunError):
    """Another process of the run ended or cannot be reached."""


@dataclass(frozen=True)
class ProcessGroup:
    """Rank of this process within the group that trains one model.

    Attributes:
        rank: Index of this process, from 0. Process 0 owns the run directory.
        count: Number of processes.
        devices: Total number of devices of all processes.
        loss: Function that maps an exception to the message about a lost process that caused it;
            None if there is no such cause.
        set_replicated: Callback that sets whether the next batch is replicated instead of split.
    """

    rank: int = 0
    count: int = 1
    devices: int = 1
    loss: Callable[[Exception], str | None] = lambda error: None
    set_replicated: Callable[[bool], None] = lambda replicated: None

    def part(self, batch: Any, replicated: bool = False) -> Any:
        """Return the rows of a batch that this process feeds to its devices.

        Args:
            batch: Nested arrays `[B, ...]`.
            replicated: Whether every device receives the whole batch.

        Returns:
            Nested arrays `[B / count, ...]`, or `[B, ...]` if replicated.
        """
        from keras import tree

        self.set_replicated(replicated)
        if self.count == 1 or replicated:
            return batch
        return tree.map_structure(lambda rows: rows[self.share(len(rows))], batch)

    def share(self, size: int) -> slice:
        """Return the slice of this process out of `size` rows."""
        part = size // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def agree(self, signal: int | None) -> int | None:
        """Return the stop signal of any process, equal in all; None if there is none.

        Args:
            signal: Number of the signal that this process received; None if none.
        """
        if self.count == 1:
            return signal
        return next((number for number in self.gather(signal or 0) if number), None)

    def gather(self, number: int) -> list[int]:
        """Gather one number, below 2³², from each process, ordered by rank."""
        if self.count == 1:
            return [number]
        from jax.experimental import multihost_utils

        gathered = multihost_utils.process_allgather(np.array([number], "uint32"))
        return [int(one) for one in np.ravel(gathered)]

    def broadcast(self, content: bytes) -> bytes:
        """Return the bytes of process 0; the argument is ignored in other processes."""
        if self.count == 1:
            return content
        from jax.experimental import multihost_utils

        size = self.gather(len(content))[0]
        mine = np.zeros(size, "uint8")
        if self.rank == 0:
            mine[:] = np.frombuffer(content, "uint8")
        return multihost_utils.broadcast_one_to_all(mine).tobytes()

    def broadcast_checkpoint(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        """Return the checkpoint of process 0, without its records; None if it has none."""
        if self.count == 1:
            return checkpoint
        header = checkpoint and {"step": checkpoint.step, "progress": dict(checkpoint.progress)}
        arrays = io.BytesIO()
        members: dict[str, Any] = dict(checkpoint.arrays) if checkpoint else {}
        np.savez(arrays, **members)
        sent = self.broadcast(json.dumps(header).encode())
        header = parsing.parse_json(sent.decode(), allow_nan=True)
        with np.load(io.BytesIO(self.broadcast(arrays.getvalue())), allow_pickle=False) as found:
            if header is None:
                return None
            return Checkpoint(header["step"], dict(found), header["progress"])

    def check_equal(
        self, content: Sequence[np.ndarray] | bytes, name: str, advice: str, kind: type[Exception]
    ) -> None:
        """Check that all processes have bitwise equal content.

        Args:
            content: Arrays or bytes of this process.
            name: Name of the content in the message.
            advice: End of the message, with the expectation.
            kind: Exception class to raise.

        Raises:
            kind: If the content differs between processes.
        """
        if self.count == 1:
            return
        digest = 0
        for part in [content] if isinstance(content, bytes) else content:
            data = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
            digest = zlib.crc32(data, digest)
        digests = self.gather(digest)
        differing = [str(rank) for rank, one in enumerate(digests) if one != digests[0]]
        if differing:
            numbers = ", ".join(differing)
            raise kind(f"{name} of process {numbers} differs from that of process 0{advice}")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turn an exception caused by the loss of another process into one line.

        Raises:
            LostError: If another process ended or cannot be reached.
        """
        try:
            yield
        except RumError:  # already one line
            raise
        except Exception as error:
            if self.count > 1 and (reason := self.loss(error)):
                raise LostError(reason) from error
            raise


ALONE = ProcessGroup()


def check_batch(run: RunConfig, devices: int, flag: str) -> None:
    """Check that devices can share the batches of a run.

    Args:
        run: Configuration of the run.
        devices: Number of devices of all processes together.
        flag: Option that sets the number of devices, for the message.

    Raises:
        ConfigError: If the batch size is not a multiple of `devices`.
    """
    batch_size = run.train.batch_size
    if batch_size % devices:
        lower = batch_size - batch_size % devices
        near = [str(size) for size in (lower, lower + devices) if size > 0]
        raise ConfigError(
            f"{flag}: a batch of {batch_size} cannot be split evenly over {devices} devices; try "
            f"train.batch_size={' or '.join(near)}, or another number of devices"
        )


def settings(run: RunConfig) -> Mapping[str, Any]:
    """Return the settings that all processes of a run must share: all but the data path."""
    found = run.model_dump(mode="json")
    found["task"].pop("data", None)
    return found
