"""Coercion of equivalent values: names in any case, and integers written as floats.

The configuration and the command-line options use it, so that both accept the same values.
"""

from __future__ import annotations

from collections.abc import Iterable

_EXACT = 2**53  # larger floats do not represent a unique integer


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
