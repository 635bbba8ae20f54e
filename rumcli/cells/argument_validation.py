"""Checks of what cells and layers are made with; a number comes back as a plain Python number.

`True` is an integer to Python and NumPy's integers are not, and JSON, which configurations are
saved as, has no NumPy numbers.
"""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any


def positive_integer(name: str, value: Any) -> int:
    """Return a positive integer.

    Args:
        name: Name of the argument, for the message.
        value: Value of the argument: an integer of Python or NumPy, but not a boolean.

    Raises:
        ValueError: If it is not a positive integer.
    """
    found = _integer(value)
    if found is None or found < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return found


def positive_integer_or_none(name: str, value: Any) -> int | None:
    """Return a positive integer or None, as `positive_integer` does.

    Raises:
        ValueError: If it is neither.
    """
    found = _integer(value)
    if value is not None and (found is None or found < 1):
        raise ValueError(f"{name} must be a positive integer or None, got {value!r}")
    return found


def integer_or_none(name: str, value: Any) -> int | None:
    """Return an integer, such as a seed, or None.

    Raises:
        ValueError: If it is neither.
    """
    found = _integer(value)
    if found is None and value is not None:
        raise ValueError(f"{name} must be an integer or None, got {value!r}")
    return found


def finite_number(name: str, value: Any) -> float:
    """Return a finite real number.

    Raises:
        ValueError: If it is not one.
    """
    found = _number(value)
    if not math.isfinite(found):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return found


def positive_number_or_none(name: str, value: Any) -> float | None:
    """Return a positive, finite number or None.

    Raises:
        ValueError: If it is neither.
    """
    if value is None:
        return None
    found = _number(value)
    if not 0 < found < math.inf:
        raise ValueError(f"{name} must be a positive number or None, got {value!r}")
    return found


def rate(name: str, value: Any) -> float:
    """Return the rate of a dropout or zoneout.

    Raises:
        ValueError: If it is not a number in [0, 1).
    """
    found = _number(value)
    if not 0 <= found < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return found


def boolean(name: str, value: Any) -> bool:
    """Return a boolean of Python or NumPy as one of Python.

    Raises:
        ValueError: If it is anything else, such as the text "false", which counts as true.
    """
    import numpy as np  # not needed by those who only list the cells

    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r}")


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
