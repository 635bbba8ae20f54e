"""Validation of constructor arguments; numbers are returned as plain Python numbers.

An `isinstance` check for `int` accepts `True` and rejects NumPy integers. NumPy numbers are
converted because configurations are saved as JSON.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Sequence
from typing import Any


def positive_integer(name: str, value: Any) -> int:
    """Return `value` as a positive Python integer.

    Args:
        name: Name of the argument, for the error message.
        value: Value of the argument: a Python or NumPy integer, but not a boolean.

    Returns:
        The value as an `int`.

    Raises:
        ValueError: If the value is not a positive integer.
    """
    number = _integer(value)
    if number is None or number < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return number


def positive_integer_or_none(name: str, value: Any) -> int | None:
    """Return `value` as a positive Python integer, or None.

    Raises:
        ValueError: If the value is neither.
    """
    number = _integer(value)
    if value is not None and (number is None or number < 1):
        raise ValueError(f"{name} must be a positive integer or None, got {value!r}")
    return number


def divisor(name: str, value: Any, units: int) -> int:
    """Return `value` as a positive Python integer that divides `units`.

    Raises:
        ValueError: If it is not a positive integer, or does not divide `units`.
    """
    number = positive_integer(name, value)
    if units % number:
        raise ValueError(f"{name} must divide units={units}, got {number}")
    return number


def choice(name: str, value: Any, expected: Sequence[str]) -> str:
    """Return `value` if it is one of the expected strings.

    Raises:
        ValueError: If it is not.
    """
    if isinstance(value, str) and value in expected:
        return value
    raise ValueError(f"{name} must be {' or '.join(map(repr, expected))}, got {value!r}")


def integer_or_none(name: str, value: Any) -> int | None:
    """Return `value`, such as a seed, as a Python integer, or None.

    Raises:
        ValueError: If the value is neither.
    """
    number = _integer(value)
    if number is None and value is not None:
        raise ValueError(f"{name} must be an integer or None, got {value!r}")
    return number


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a finite Python float.

    Raises:
        ValueError: If the value is not a finite real number.
    """
    number = _number(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return number


def positive_number_or_none(name: str, value: Any) -> float | None:
    """Return `value` as a positive, finite Python float, or None.

    Raises:
        ValueError: If the value is neither.
    """
    if value is None:
        return None
    number = _number(value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a positive number or None, got {value!r}")
    return number


def rate(name: str, value: Any) -> float:
    """Return a dropout or zoneout rate as a Python float.

    Raises:
        ValueError: If the value is not a number in [0, 1).
    """
    number = _number(value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return number


def boolean(name: str, value: Any) -> bool:
    """Return a Python or NumPy boolean as a Python boolean.

    Raises:
        ValueError: If the value is not a boolean. The string "false", for one, would be truthy.
    """
    import numpy as np  # imported late so that listing the cells stays fast

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
