"""Parsers of untrusted values: JSON with limits, names, integers, and thresholds on metrics."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rumcli import errors

MAX_JSON_BYTES = 2**24
MAX_JSON_DEPTH = 100
# The last alternative matches a string, in which brackets do not count. Its possessive quantifier
# keeps matching linear in the length.
_BRACKET = re.compile(r'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)

_EXACT = 2**53  # larger floats do not represent a unique integer

THRESHOLD_FORM = "NAME>=NUMBER, or <=, > or <, as in 'accuracy>=0.95'"
_COMPARISONS = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_THRESHOLD_FORM = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


def parse_json(text: str | bytes, allow_nan: bool = False) -> Any:
    """Parse untrusted JSON.

    Args:
        text: JSON, in UTF-8 if bytes.
        allow_nan: Whether to accept NaN and infinities, which `json.dumps` writes by default.

    Raises:
        ValueError: If the text is not JSON, exceeds `MAX_JSON_BYTES` or `MAX_JSON_DEPTH` levels, or
            contains a non-finite number.
    """
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"more than {MAX_JSON_BYTES:,} bytes of JSON")
    if isinstance(text, bytes):
        text = text.decode()
    _check_depth(text)
    if allow_nan:
        return json.loads(text)
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_JSON_DEPTH:  # fast path for the common case
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        token = match[0]
        depth += (token in "[{") - (token in "]}")
        if depth > MAX_JSON_DEPTH:
            raise ValueError(f"more than {MAX_JSON_DEPTH} levels of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a number in JSON")
    return number


def name(given: str, known: Iterable[str]) -> str:
    """Return the valid name that equals a given name, ignoring case.

    Args:
        given: Name as typed.
        known: Valid names.

    Returns:
        Valid name, or `given` without a match.
    """
    known = list(known)
    if given in known:
        return given
    folded = [one for one in known if one.casefold() == given.strip().casefold()]
    return folded[0] if len(folded) == 1 else given


def integer(value: float) -> float | int:
    """Convert an integral float, such as `1e3`, to an integer.

    Args:
        value: Number to convert.

    Returns:
        Integer, or `value` if it is not integral or too large to be exact.
    """
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


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
        return f"{self.name}{self.comparison}{errors.number(self.bound)}"

    def is_met(self, value: float | None) -> bool:
        """Return whether a value meets the threshold; False for None and NaN."""
        return value is not None and _COMPARISONS[self.comparison](value, self.bound)


def parse_threshold(text: str) -> Threshold:
    """Parse a threshold.

    Args:
        text: Threshold such as `accuracy>=0.95`.

    Raises:
        ValueError: If the form is not NAME>=NUMBER; the message is the expected form.
    """
    found = _THRESHOLD_FORM.fullmatch(text)
    try:
        if found and math.isfinite(bound := float(found[3])):
            return Threshold(found[1], found[2], bound)
    except ValueError:
        pass
    raise ValueError(THRESHOLD_FORM)
