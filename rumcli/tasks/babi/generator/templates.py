"""How the statements and questions about people, places and objects are worded.

Each function returns all wordings of one statement. They are made once, since the same sentences
occur again and again.
"""

from __future__ import annotations

from functools import cache

from rumcli.tasks.babi.story import Statement

LATER = ("After that", "Afterwards", "Then", "Following that")
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
NUMBERS = ("none", "one", "two", "three")

_WENT = ("went", "journeyed", "travelled", "moved", "went back")
_GOT = ("got", "took", "grabbed", "picked up")
_DROPPED = ("dropped", "left", "discarded", "put down")
_GAVE = ("gave", "handed", "passed")
_SHE = frozenset({"Mary", "Sandra", "Julie"})


def pronoun(person: str) -> str:
    """Return `he` or `she`."""
    return "she" if person in _SHE else "he"


@cache
def moved(subject: str, place: str) -> tuple[Statement, ...]:
    """Say that one or more people moved, as in `Then they moved to the kitchen.`."""
    return tuple(Statement(f"{subject} {went} to the {place}.") for went in _WENT)


@cache
def moved_at(person: str, place: str, time: str) -> tuple[Statement, ...]:
    """Say who moved when, the time first or last."""
    return tuple(
        statement
        for went in _WENT
        for statement in (
            Statement(f"{time.capitalize()} {person} {went} to the {place}."),
            Statement(f"{person} {went} to the {place} {time}."),
        )
    )


@cache
def got(person: str, thing: str) -> tuple[Statement, ...]:
    """Say that someone got an object, always with `there`."""
    return tuple(Statement(f"{person} {verb} the {thing} there.") for verb in _GOT)


@cache
def got_maybe_there(person: str, thing: str) -> tuple[Statement, ...]:
    """Say that someone got an object, one time in five with `there`."""
    return _maybe_there(person, _GOT, thing)


@cache
def dropped(person: str, thing: str) -> tuple[Statement, ...]:
    """Say that someone dropped an object, one time in five with `there`."""
    return _maybe_there(person, _DROPPED, thing)


@cache
def gave(person: str, thing: str, receiver: str) -> tuple[Statement, ...]:
    """Say that someone gave an object to someone."""
    return tuple(Statement(f"{person} {verb} the {thing} to {receiver}.") for verb in _GAVE)


@cache
def is_in(person: str, place: str) -> tuple[Statement, ...]:
    """Say where someone is."""
    return (Statement(f"{person} is in the {place}."),)


@cache
def is_not_in(person: str, place: str) -> tuple[Statement, ...]:
    """Say where someone is not, or not any longer."""
    return tuple(Statement(f"{person} is {no} in the {place}.") for no in ("not", "no longer"))


@cache
def is_in_either(person: str, place: str, other: str) -> tuple[Statement, ...]:
    """Say that someone is in one of two places."""
    return (Statement(f"{person} is either in the {place} or the {other}."),)


def _maybe_there(person: str, verbs: tuple[str, ...], thing: str) -> tuple[Statement, ...]:
    plain = [Statement(f"{person} {verb} the {thing}.") for verb in verbs]
    there = [Statement(f"{person} {verb} the {thing} there.") for verb in verbs]
    return tuple(4 * plain + there)
