"""Wording of what is wrong: an unknown name, with what is nearest and what exists; any value."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable
from typing import Any

_LONGEST = 100  # characters of a value in a message


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:
        """Write a number, if it is not one of thousands of digits, which Python refuses."""
        is_long = value.bit_length() > 4 * _LONGEST
        return f"a number of {value.bit_length():,} bits" if is_long else repr(value)


def shown(value: Any) -> str:
    """Write a value as Python does, but however large it is, in a few words."""
    return _Short().repr(value)


def clipped(text: str) -> str:
    """Return a text, or the beginning of a long one."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def number(value: float) -> str:
    """Write a number as it was typed: an integer with all its digits, a float in short."""
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
    """Say in one line that `name` is not a `kind`, with the nearest known name.

    Args:
        kind: What the name should have been, as in "unknown cell".
        name: What was given.
        known: The valid names.
    """
    known = list(known)
    name = name[: 2 * _LONGEST]  # no known one is as long
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = ""
    if nearest and not _differs_in_size(name.lower(), nearest[0]):
        hint = f"did you mean '{nearest[0]}'? "
    return f"unknown {kind} '{clipped(name)}'; {hint}{plural(kind)}: {', '.join(known)}"


def _differs_in_size(name: str, other: str) -> bool:
    """Tell whether two names differ in digits alone, as float16 and float64: no misspelling."""
    words = [re.sub(r"\d", "", one) for one in (name, other)]
    digits = [sorted(re.findall(r"\d", one)) for one in (name, other)]
    return words[0] == words[1] and digits[0] != digits[1]
