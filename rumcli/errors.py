"""Exceptions with messages for users, and the wording of these messages."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import Any

_LONGEST = 100  # number of characters of a value in a message


class RumError(Exception):
    """Base class of errors with a one-line message; commands exit with `exit_code`."""

    exit_code = 1


class ConfigError(RumError):
    """Invalid input: a name, a value or a file."""

    exit_code = 2


class RunError(RumError):
    """Failure during a run, or damage to its files."""


# TensorFlow has an exception class for it, and JAX a word in the message. PyTorch has a class for
# GPUs and a message for the CPU.
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}

_NO_MEMORY_LEFT = ("RESOURCE_EXHAUSTED", "DefaultCPUAllocator")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python or of a backend means that memory is exhausted."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUT_OF_MEMORY) or any(word in str(error) for word in _NO_MEMORY_LEFT)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:
        """Return the digits of a number, or its size: Python limits conversion to decimal."""
        is_long = value.bit_length() > 4 * _LONGEST
        return f"a number of {value.bit_length():,} bits" if is_long else repr(value)


def shown(value: Any) -> str:
    """Return a shortened `repr` of a value."""
    return _Short().repr(value)


def clipped(text: str) -> str:
    """Return a text, truncated if it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def number(value: float) -> str:
    """Return a number as text: integers with all digits, floats in short form."""
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def plural(noun: str) -> str:
    """Return the plural of an English noun: `keys`, `axes`, `losses`."""
    if noun.endswith("axis"):
        return f"{noun[:-2]}es"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a one-line message about an unknown name, with the nearest valid name.

    Args:
        kind: Noun for the name, as in "cell".
        name: Unknown name.
        known: Valid names.
    """
    known = list(known)
    name = name[: 2 * _LONGEST]  # longer than any valid name
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = ""
    if nearest and not _differs_in_size(name.lower(), nearest[0]):
        hint = f"did you mean '{nearest[0]}'? "
    return f"unknown {kind} '{clipped(name)}'; {hint}{plural(kind)}: {', '.join(known)}"


def _differs_in_size(name: str, other: str) -> bool:
    """Return whether two names differ only in digits, as float16 and float64, not by a typo."""
    words = [re.sub(r"\d", "", one) for one in (name, other)]
    digits = [sorted(re.findall(r"\d", one)) for one in (name, other)]
    return words[0] == words[1] and digits[0] != digits[1]
