"""Time limits of a set of runs: a budget in shares, or one common limit. Arithmetic only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rumcli.errors import ConfigError

LEAST = 30.0  # minimum share in seconds; starting a process takes several of them
LEAST_AGAIN = 60.0  # seconds required to start a stopped run again
LEAST_LEFT = 5.0  # seconds required for a run to reach its first step
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
    """Share of a run in a budget.

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
    """Time at which all runs save and stop.

    Attributes:
        last: Time of the last training step, in seconds of the monotonic clock; infinite for no
            limit.
        slots: Number of concurrent runs that share the time in proportion to their weights, and are
            tested when they stop. 0 disables shares: each run may take as long as it needs.
    """

    last: float = float("inf")
    slots: int = 0

    @classmethod
    def budget(cls, seconds: float, now: float, slots: int) -> Self:
        """Return a limit that reserves a tenth of the time, at most a minute, for the tests."""
        return cls(now + seconds - min(seconds / 10, 60.0), slots)

    @property
    def is_shared(self) -> bool:
        """Whether a run that has used its share is replaced by another."""
        return self.slots > 0

    @property
    def how(self) -> str:
        """Method of stopping a run: `SAVE` or `SAVE_AND_TEST`."""
        return SAVE_AND_TEST if self.is_shared else SAVE

    def is_over(self, now: float) -> bool:
        """Return whether all runs have to stop."""
        return now >= self.last

    def may_begin(self, now: float, again: bool) -> bool:
        """Return whether a run may start.

        Args:
            now: Current time.
            again: Whether the run was stopped before.
        """
        least = (LEAST_AGAIN if again else LEAST_LEFT) if self.is_shared else 0.0
        return not self.is_over(now) and self.last - now >= least

    def until(
        self, now: float, running: Sequence[float], waiting: Sequence[Share], test: float = 0.0
    ) -> float:
        """Return the time at which a run that starts now has used its share.

        The time not reserved for running runs is distributed over the waiting ones, so that all
        train in proportion to their weights. A run that trained longer in an earlier budget
        receives less of this one. A run that ends early leaves its time to the others.

        Args:
            now: Current time.
            running: End of the share of each running run.
            waiting: Shares of the waiting runs, starting with the run to start.
            test: Seconds for saving and testing a run after its share.
        """
        left = max(0.0, self.last - now)
        kept = sum(min(left, max(0.0, end - now) + test) for end in running)
        kept += test * len(waiting)
        level = _level(max(0.0, self.slots * left - kept), waiting)
        due = level * waiting[0].size - waiting[0].had
        return now + min(left, max(due, LEAST))


def _level(seconds: float, waiting: Sequence[Share]) -> float:
    """Return the common level to which the given time raises all runs below it."""
    size = level = 0.0
    for share in sorted(waiting, key=lambda share: share.level):
        if size and share.level >= level:
            break
        size += share.size
        seconds += share.had
        level = seconds / size
    return level
