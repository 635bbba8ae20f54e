"""JSON parser with limits on size and depth, for untrusted input."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_BYTES = 2**24
MAX_DEPTH = 100

# The last alternative matches a string, in which brackets do not count. Its possessive quantifier
# keeps matching linear in the length.
_BRACKET = re.compile(r'[\[{]|[\]}]|"(?:[^"\\]++|\\.)*+"?', re.DOTALL)


def parse(text: str | bytes, allow_nan: bool = False) -> Any:
    """Parse untrusted JSON.

    Args:
        text: JSON, in UTF-8 if bytes.
        allow_nan: Whether to accept NaN and infinities, which `json.dumps` writes by default.

    Raises:
        ValueError: If the text is not JSON, exceeds `MAX_BYTES` or `MAX_DEPTH` levels, or contains
            a non-finite number.
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
    if text.count("[") + text.count("{") <= MAX_DEPTH:  # fast path for the common case
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
