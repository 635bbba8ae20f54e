"""Forms of a value that mean the same: a name in any case, an integer that is written as a float.

Used by the configuration and by the options of commands, so that both accept the same.
"""

from __future__ import annotations

from collections.abc import Iterable

_EXACT = 2**53  # above, a float is not one integer but several


def name(given: str, known: Iterable[str]) -> str:
    """Return the known name that is meant, which may be in another case.

    Args:
        given: The name as it was typed.
        known: The valid names.

    Returns:
        The valid name; `given` itself if it is none.
    """
    known = list(known)
    if given in known:
        return given
    folded = [one for one in known if one.casefold() == given.strip().casefold()]
    return folded[0] if len(folded) == 1 else given


def integer(value: float) -> float | int:
    """Return an integer that is written as a float, as `1e3` is, as an integer.

    Args:
        value: The number.

    Returns:
        The integer; `value` itself if it is none, or too large to be exact.
    """
    return int(value) if value.is_integer() and abs(value) < _EXACT else value
