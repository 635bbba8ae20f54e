"""Stories about people in places: a simulated world, and the sentences about it.

Four people move around, and get, drop and give three objects. The possible events depend on the
state of the world alone. A story has two statements and a question, repeated. A question is about a
recent statement. If none of these allows a question, two more statements come first.

Generators draw millions of times: random choice is twice as fast as `random.choice`, and the
wordings of a statement are cached.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from enum import Enum
from functools import cache
from typing import Generic, NamedTuple, TypeVar

from rumcli.tasks.babi.stories import Line, Question, Statement, Story

Item = TypeVar("Item")

# The order of people and objects matters for giving: see `World.simulate_event`.
PEOPLE = ("John", "Mary", "Sandra", "Daniel")
GIVERS = ("Mary", "Fred", "Bill", "Jeff")
TOWNSPEOPLE = ("Bill", "Fred", "Julie", "Mary")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
OBJECTS = ("apple", "football", "milk")

LATER = ("After that", "Afterwards", "Then", "Following that")
TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
NUMBERS = ("none", "one", "two", "three")
_WENT = ("went", "journeyed", "travelled", "moved", "went back")
_GOT = ("got", "took", "grabbed", "picked up")
_DROPPED = ("dropped", "left", "discarded", "put down")
_GAVE = ("gave", "handed", "passed")
_SHE = frozenset({"Mary", "Sandra", "Julie"})

QUESTIONS = 5
STATEMENTS = 2
# In the published files, questions never concern older statements, except in subtask 14.
RECENT = 5
Reported = TypeVar("Reported")


def pick(rng: random.Random, items: Sequence[Item]) -> Item:
    """Return a uniformly random item of a non-empty sequence."""
    return items[int(rng.random() * len(items))]


def pick_other(rng: random.Random, items: Sequence[Item], than: Item) -> Item:
    """Return a uniformly random item other than `than`; there must be one."""
    while (item := pick(rng, items)) == than:
        pass
    return item


class Action(Enum):
    """Actions of a person."""

    MOVE = "move"
    GET = "get"
    DROP = "drop"
    GIVE = "give"


class Event(NamedTuple):
    """An event; `target` is the destination of a move, and otherwise the object."""

    action: Action
    person: str
    target: str
    receiver: str = ""


class World:
    """State of the world; initial places are random, and no object is held.

    Args:
        rng: Random number generator for all draws.
        people: Names of the people.
        giving: Whether people give each other objects.

    Attributes:
        place: Location of each person.
        object_places: Location of each object that is not held.
        held: Objects held by each person.
    """

    def __init__(self, rng: random.Random, people: tuple[str, ...], giving: bool = False) -> None:
        self._rng = rng
        self._people = people
        self._num_actions = 4 if giving else 3
        self.place = {person: pick(rng, PLACES) for person in people}
        self.object_places = {thing: pick(rng, PLACES) for thing in OBJECTS}
        self.held: dict[str, list[str]] = {person: [] for person in people}

    def simulate_event(self) -> Event:
        """Simulate one event.

        A person and an action are drawn until the action is possible. A person with nothing to
        get or drop therefore acts less often. As in the published files, giving ignores the
        person drawn: it passes the first object that can be given to the first eligible receiver.

        Returns:
            The event.
        """
        while True:
            person = pick(self._rng, self._people)
            event = self._try(int(self._rng.random() * self._num_actions), person)
            if event is not None:
                return event

    def _try(self, action: int, person: str) -> Event | None:
        if action == 0:
            return self._move(person)
        if action == 1:
            return self._get(person)
        if action == 2:
            return self._drop(person)
        return self._give()

    def _move(self, person: str) -> Event | None:
        place = pick(self._rng, PLACES)
        if place == self.place[person]:
            return None
        self.place[person] = place
        return Event(Action.MOVE, person, place)

    def _get(self, person: str) -> Event | None:
        here = self.place[person]
        things = [thing for thing, place in self.object_places.items() if place == here]
        if not things:
            return None
        thing = pick(self._rng, things)
        del self.object_places[thing]
        self.held[person].append(thing)
        return Event(Action.GET, person, thing)

    def _drop(self, person: str) -> Event | None:
        things = self.held[person]
        if not things:
            return None
        thing = pick(self._rng, things)
        things.remove(thing)
        self.object_places[thing] = self.place[person]
        return Event(Action.DROP, person, thing)

    def _give(self) -> Event | None:
        for thing in OBJECTS:
            if thing in self.object_places:
                continue
            giver = next(person for person in self._people if thing in self.held[person])
            for receiver in self._people:
                if receiver != giver and self.place[receiver] == self.place[giver]:
                    self.held[giver].remove(thing)
                    self.held[receiver].append(thing)
                    return Event(Action.GIVE, giver, thing, receiver)
        return None


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


class StoryBuilder(ABC, Generic[Reported]):
    """Builder of a story with five questions.

    Args:
        rng: Random number generator for all draws.

    Attributes:
        recent: Latest items of the story, at most `RECENT`, oldest first. Subclasses define and
            append the items.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.recent: deque[Reported] = deque(maxlen=RECENT)
        self._lines: list[Line] = []

    @abstractmethod
    def add_event(self) -> None:
        """Simulate an event and add its statement."""

    @abstractmethod
    def make_question(self) -> Question | None:
        """Return a question about a recent item; None if there is none."""

    @property
    def next_line(self) -> int:
        """Number of the next line, from 1."""
        return len(self._lines) + 1

    def add_statement(self, wordings: tuple[Statement, ...]) -> None:
        """Add a statement, in one of the given wordings."""
        self._lines.append(pick(self.rng, wordings))

    def story(self) -> Story:
        """Build the story."""
        num_questions = 0
        while num_questions < QUESTIONS:
            for _ in range(STATEMENTS):
                self.add_event()
            question = self.make_question()
            if question is not None:
                self._lines.append(question)
                num_questions += 1
        return Story(tuple(self._lines))
