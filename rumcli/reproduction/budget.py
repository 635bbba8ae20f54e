"""How the time of a command is shared out among its runs. Arithmetic only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rumcli.errors import ConfigError

LEAST = 30.0  # seconds: to start a run takes some of them, so that less would be lost
LEAST_AGAIN = 60.0  # seconds that make it worth to start a stopped run once more
LEAST_LEFT = 5.0  # seconds: in less no run comes to its first step
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)([hms]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)([hms])", re.ASCII)
_LARGEST = 366 * 86400.0


def parse(text: str) -> float:
    """Read a time, as in 30m, 2h or 1h30m.

    Returns:
        Seconds.

    Raises:
        ConfigError: If it has another form, or is nothing or more than a year.
    """
    typed = text.strip().lower()
    if _FORM.fullmatch(typed):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(typed))
        if 0 < seconds <= _LARGEST:
            return seconds
    raise ConfigError(f"--budget {text}: expected a time such as 30m, 2h or 1h30m, up to a year")


@dataclass(frozen=True)
class Share:
    """What a run is due.

    Attributes:
        size: A number beside those of the others.
        had: Seconds that it already had, of this budget or an earlier one.
    """

    size: float
    had: float = 0.0

    @property
    def level(self) -> float:
        """How far it is served; the lower, the sooner it is its turn."""
        return self.had / self.size


@dataclass(frozen=True)
class Budget:
    """The time in which a table is to be done.

    Attributes:
        end: When it is over, in seconds of a monotonic clock.
        reserve: Seconds before that which the tests of the stopped runs have.
        slots: How many runs there are at the same time.
    """

    end: float
    reserve: float
    slots: int

    @classmethod
    def of(cls, seconds: float, now: float, slots: int) -> Budget:
        """Begin a budget: a tenth of it, a minute at most, is for the tests."""
        return cls(now + seconds, min(seconds / 10, 60.0), slots)

    @property
    def last(self) -> float:
        """When the last step is to be done."""
        return self.end - self.reserve

    def is_over(self, now: float) -> bool:
        """Tell whether no run may train any more."""
        return now >= self.last

    def until(
        self, now: float, running: Sequence[float], waiting: Sequence[Share], test: float = 0.0
    ) -> float:
        """Return when a run that begins now has had its share.

        What is left belongs to those that wait, apart from what the running ones still have, so
        that in the end all have had time in proportion to their shares: who had more of an earlier
        budget gets less of this one. A run that ends early so leaves its time to the others.

        Args:
            now: The time.
            running: When each of the running ones has had its share.
            waiting: Of those that wait, beginning with the one that begins.
            test: Seconds that a run takes to be saved and tested after its share.
        """
        left = max(0.0, self.last - now)
        kept = sum(min(left, max(0.0, end - now) + test) for end in running)
        kept += test * len(waiting)
        level = _level(max(0.0, self.slots * left - kept), waiting)
        due = level * waiting[0].size - waiting[0].had
        return now + min(left, max(due, LEAST))

    def may_begin(self, now: float, again: bool) -> bool:
        """Tell whether there is time for a run to begin; `again`: one that had a share already."""
        return self.last - now >= (LEAST_AGAIN if again else LEAST_LEFT)


def _level(seconds: float, waiting: Sequence[Share]) -> float:
    """Return the seconds for a share of one up to which so much time serves all who have less."""
    size = level = 0.0
    for share in sorted(waiting, key=lambda share: share.level):
        if size and share.level >= level:
            break
        size += share.size
        seconds += share.had
        level = seconds / size
    return level
