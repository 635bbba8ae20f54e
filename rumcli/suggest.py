"""Wording of an unknown name: what it was, what is nearest, what exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say in one line that `name` is not a `kind`, with the nearest known name.

    Args:
        kind: What the name should have been, as in "unknown cell".
        name: What was given.
        known: The valid names.
    """
    known = list(known)
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    return f"unknown {kind} '{name}'; {hint}{kind}s: {', '.join(known)}"
