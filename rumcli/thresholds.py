"""A bound on a figure, as in `accuracy>=0.95`: its form, and whether a value keeps it."""

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
    """A bound on one figure of a result.

    Attributes:
        name: The figure's key in the result.
        comparison: `">="`, `"<="`, `">"` or `"<"`.
        bound: What it is compared with.
    """

    name: str
    comparison: str
    bound: float

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{messages.number(self.bound)}"

    def is_met(self, value: float | None) -> bool:
        """Tell whether a figure is as it must be; one that is not a number never is."""
        return value is not None and _COMPARISONS[self.comparison](value, self.bound)


def read(text: str) -> Threshold:
    """Read a bound.

    Raises:
        ValueError: If it has another form than NAME>=NUMBER; it says which form that is.
    """
    found = _FORM.fullmatch(text)
    try:
        if found and math.isfinite(bound := float(found[3])):
            return Threshold(found[1], found[2], bound)
    except ValueError:
        pass
    raise ValueError(FORM)
