"""Thresholds on metrics, as in `accuracy>=0.95`."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass

from rumcli import messages

FORM = "NAME>=NUMBER, or <=, > or <, as in 'accuracy>=0.95'"

_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Threshold:
    """Threshold on one metric of a result.

    Attributes:
        name: Key of the metric in the result.
        comparison: `">="`, `"<="`, `">"` or `"<"`.
        bound: Value that the metric is compared with.
    """

    name: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{messages.number(self.bound)}"

    def is_met(self, value: float | None) -> bool:
        """Return whether a value meets the threshold; False for None and NaN."""
        return value is not None and _COMPARISONS[self.comparison](value, self.bound)


def read(text: str) -> Threshold:
    """Parse a threshold.

    Args:
        text: Threshold such as `accuracy>=0.95`.

    Raises:
        ValueError: If the form is not NAME>=NUMBER; the message is the expected form.
    """
    found = _FORM.fullmatch(text)
    try:
        if found and math.isfinite(bound := float(found[3])):
            return Threshold(found[1], found[2], bound)
    except ValueError:
        pass
    raise ValueError(FORM)
