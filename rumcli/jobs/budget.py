"""Time limits of a set of runs: equal time for each, or one limit for all. Arithmetic only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rumcli.errors import ConfigError

LEAST = 30.0  # seconds of a share: the start of a process takes several of them
LEAST_AGAIN = 60.0  # seconds for which a stopped run is started once more
LEAST_LEFT = 5.0  # seconds: in less no run comes to its first step
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)([hms]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])", re.ASCII)
_LARGEST = 366 * 86400.0

SAVE = "save"  # and stop
SAVE_AND_TEST = "save and test"


def parse(text: str) -> float:
    """Parse a duration, as in 30m, 2h or 1h30m.

    Returns:
        Seconds.

    Raises:
        ConfigError: If it has another form, or is zero or more than a year.
    """
    typed = text.strip().lower()
    if _FORM.fullmatch(typed):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(typed))
        if 0 < seconds <= _LARGEST:
            return seconds
    raise ConfigError(f"--budget {text}: expected a time such as 30m, 2h or 1h30m, up to a year")


@dataclass(frozen=True)
class Share:
    """The part of a budget that a run is due.

    Attributes:
        size: Weight relative to the other runs.
        had: Seconds of training so far, in this budget or an earlier one.
    """

    size: float = 1.0
    had: float = 0.0

    @property
    def level(self) -> float:
        """Training time per weight; the run with the lowest level starts first."""
        return self.had / self.size


@dataclass(frozen=True)
class TimeLimit:
    """A time at which all runs save and stop.

    Attributes:
        last: Time of the last training step, in seconds of the monotonic clock; infinite: no limit.
        slots: Number of runs at the same time, if all share the time in proportion to their
            weights and are tested when they are stopped; 0: each may take as long as it needs.
    """

    last: float = float("inf")
    slots: int = 0

    @classmethod
    def budget(cls, seconds: float, now: float, slots: int) -> Self:
        """Return a limit of which a tenth, at most a minute, is reserved for the tests."""
        return cls(now + seconds - min(seconds / 10, 60.0), slots)

    @property
    def is_shared(self) -> bool:
        """Whether a run that has used its share gives way to others."""
        return self.slots > 0

    @property
    def how(self) -> str:
        """How runs are stopped."""
        return SAVE_AND_TEST if self.is_shared else SAVE

    def is_over(self, now: float) -> bool:
        """Return whether all runs have to stop."""
        return now >= self.last

    def may_begin(self, now: float, again: bool) -> bool:
        """Return whether a run may start; `again`: one that was stopped before."""
        least = (LEAST_AGAIN if again else LEAST_LEFT) if self.is_shared else 0.0
        return not self.is_over(now) and self.last - now >= least

    def until(
        self, now: float, running: Sequence[float], waiting: Sequence[Share], test: float = 0.0
    ) -> float:
        """Return the time at which a run that starts now has used its share.

        The remaining time, less that of the running ones, belongs to the waiting runs, so that in
        the end all have trained in proportion to their shares: a run that had more of an earlier
        budget gets less of this one. A run that ends early leaves its time to the others.

        Args:
            now: The time.
            running: End of the share of each running run.
            waiting: Shares of the waiting runs, that of the starting one first.
            test: Seconds that a run takes to be saved and tested after its share.
        """
        left = max(0.0, self.last - now)
        kept = sum(min(left, max(0.0, end - now) + test) for end in running)
        kept += test * len(waiting)
        level = _level(max(0.0, self.slots * left - kept), waiting)
        due = level * waiting[0].size - waiting[0].had
        return now + min(left, max(due, LEAST))


def _level(seconds: float, waiting: Sequence[Share]) -> float:
    """Return the level up to which so many seconds bring all runs that are below it."""
    size = level = 0.0
    for share in sorted(waiting, key=lambda share: share.level):
        if size and share.level >= level:
            break
        size += share.size
        seconds += share.had
        level = seconds / size
    return level
