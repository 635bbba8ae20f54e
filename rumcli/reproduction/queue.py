"""The runs of a table that are left, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from rumcli.config import RunConfig
from rumcli.jobs.budget import Share
from rumcli.reproduction.folder import TableFolder
from rumcli.reproduction.plan import Run


class Queue:
    """The runs that are not finished; first those that had least of their share of the time.

    Args:
        folder: Directory of the table.
        runs: The runs that are asked for.

    Attributes:
        planned: Number of these runs.
        done_before: Number of those that are finished.
    """

    def __init__(self, folder: TableFolder, runs: Sequence[Run]) -> None:
        self._folder = folder
        found = [run for run in runs if folder.run_folder(run).finished(run.config) is None]
        self._waiting = deque(sorted(found, key=lambda run: folder.share(run).level))
        self.planned = len(runs)
        self.done_before = len(runs) - len(found)

    def next(self) -> Run | None:
        """Return the next run; None if there is none left."""
        return self._waiting.popleft() if self._waiting else None

    def ended(self, run: Run) -> None:
        """Do nothing: the other runs do not depend on it."""

    def config(self, run: Run) -> RunConfig:
        """Return the configuration of a run."""
        return run.config

    def shares(self) -> Iterator[Share]:
        """Yield the shares of the runs that are left."""
        return map(self._folder.share, self._waiting)
