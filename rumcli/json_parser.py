"""The only parser for JSON in this package: anyone may have written it, so that it has limits."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_BYTES = 2**24
MAX_DEPTH = 100

# The last alternative is a string, in which a bracket is text. Possessive: linear in its length.
_BRACKET = re.compile(r'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def parse(text: str | bytes, allow_nan: bool = False) -> Any:
    """Parse JSON that anyone may have written.

    Args:
        text: JSON in UTF-8.
        allow_nan: Whether NaN and infinities, which `json.dumps` writes by default, are numbers.

    Raises:
        ValueError: If it is not JSON, has more than `MAX_BYTES` or `MAX_DEPTH` levels, or
            has a number that is not finite.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes of JSON")
    if isinstance(text, bytes):
        text = text.decode()
    _check_depth(text)
    if allow_nan:
        return json.loads(text)
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_DEPTH:  # the usual case, at full speed
        return
    depth = 0
    for match in _BRACKET.finditer(text):
        token = match[0]
        depth += (token in "[{") - (token in "]}")
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} levels of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a number in JSON")
    return number
