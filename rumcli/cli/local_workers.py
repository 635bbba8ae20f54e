"""The processes beside the chief, where all of a run are on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rumcli import machine, own_code
from rumcli.errors import RunError

if TYPE_CHECKING:
    from rumcli.config import RunConfig

_THREADS = "TF_NUM_INTRAOP_THREADS"
_GRACE = 15.0  # seconds in which a process has to end once the chief has


class LocalWorkers:
    """Started in this machine, and gone when the block is left.

    Args:
        run: What they train; they hear of it from the chief.
        debug: Whether they show what goes wrong in them.

    Attributes:
        met: Whether all have come to the chief, and hear of its end.
    """

    def __init__(self, run: RunConfig, debug: bool) -> None:
        self._has_own_code = any(hasattr(part, "factory") for part in (run.task, run.cell))
        self._debug = debug
        self.met = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._said: list[Any] = []

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes if self.met else []:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        self.kill()
        for file in self._said:
            file.close()

    @staticmethod
    def threads(count: int) -> int:
        """Return how many threads each of `count` processes has: the cores, shared out."""
        if given := LocalWorkers.threads_given():
            return given
        found = machine.cores()
        usable = min(filter(None, (found["usable"], found["quota"])), default=1)
        return max(1, int(usable) // count)

    @staticmethod
    def threads_given() -> int | None:
        """Return how many threads the environment gives TensorFlow; None: it does not say."""
        given = os.environ.get(_THREADS, "")
        return int(given) if given.isdecimal() and int(given) > 0 else None

    def start(self, count: int, address: str) -> None:
        """Start all but the chief.

        Args:
            count: Number of processes, with the chief.
            address: Where that waits.
        """
        command = [sys.executable, "-m", "rumcli", "train", f"--address={address}"]
        command += [own_code.TRUST] if self._has_own_code else []
        command += ["--debug"] if self._debug else []
        root = str(Path(__file__).parents[2])  # from which this process has the package
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            _THREADS: str(self.threads(count)),
        }
        for rank in range(1, count):
            said = None if self._debug else tempfile.TemporaryFile()  # noqa: SIM115 - theirs
            if said is not None:
                self._said.append(said)
            # In a session of its own: a Ctrl-C is for the chief, who tells the others.
            process = subprocess.Popen(
                [*command, f"--worker={rank}"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            self._processes.append(process)

    def check(self) -> None:
        """Make sure that none has ended before it came.

        Raises:
            RunError: If one has.
        """
        for rank, process in enumerate(self._processes, 1):
            if (code := process.poll()) is not None:
                raise RunError(f"worker {rank} ended with {code}{self._last_words(rank)}")

    def kill(self) -> None:
        """End those that are still there."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _last_words(self, rank: int) -> str:
        if self._debug:
            return ""
        file = self._said[rank - 1]
        file.seek(0)
        lines = file.read().decode(errors="replace").splitlines()
        return f": {lines[-1][:300]}" if lines else ""
