"""Sentence templates for statements about people, places and objects.

Each function returns all wordings of one statement. The results are cached, as the same sentences
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
    """Return wordings of a move, as in `Then they moved to the kitchen.`."""
    return tuple(Statement(f"{subject} {went} to the {place}.") for went in _WENT)


@cache
def moved_at(person: str, place: str, time: str) -> tuple[Statement, ...]:
    """Return wordings of a move with its time of day, which comes first or last."""
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
    """Return wordings of getting an object, always with `there`."""
    return tuple(Statement(f"{person} {verb} the {thing} there.") for verb in _GOT)


@cache
def got_maybe_there(person: str, thing: str) -> tuple[Statement, ...]:
    """Return wordings of getting an object, one in five with `there`."""
    return _maybe_there(person, _GOT, thing)


@cache
def dropped(person: str, thing: str) -> tuple[Statement, ...]:
    """Return wordings of dropping an object, one in five with `there`."""
    return _maybe_there(person, _DROPPED, thing)


@cache
def gave(person: str, thing: str, receiver: str) -> tuple[Statement, ...]:
    """Return wordings of giving an object to another person."""
    return tuple(Statement(f"{person} {verb} the {thing} to {receiver}.") for verb in _GAVE)


@cache
def is_in(person: str, place: str) -> tuple[Statement, ...]:
    """Return the wording of a person's location."""
    return (Statement(f"{person} is in the {place}."),)


@cache
def is_not_in(person: str, place: str) -> tuple[Statement, ...]:
    """Return wordings that a person is not, or no longer, in a place."""
    return tuple(Statement(f"{person} is {no} in the {place}.") for no in ("not", "no longer"))


@cache
def is_in_either(person: str, place: str, other: str) -> tuple[Statement, ...]:
    """Return the wording that a person is in one of two places."""
    return (Statement(f"{person} is either in the {place} or the {other}."),)


def _maybe_there(person: str, verbs: tuple[str, ...], thing: str) -> tuple[Statement, ...]:
    plain = [Statement(f"{person} {verb} the {thing}.") for verb in verbs]
    there = [Statement(f"{person} {verb} the {thing} there.") for verb in verbs]
    return tuple(4 * plain + there)
