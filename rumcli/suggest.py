"""Wording of what is wrong: an unknown name, with what is nearest and what exists; any value."""

from __future__ import annotations

import difflib
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
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    return f"unknown {kind} '{clipped(name)}'; {hint}{kind}s: {', '.join(known)}"
