"""Simulator of a small world: four people move around, and get, drop and give three objects.

The possible events depend on the state alone. The wording of events is in `templates`.
"""

from __future__ import annotations

import random
from enum import Enum
from typing import NamedTuple

from rumcli.tasks.babi.generator.random_choice import pick

# The order of people and objects matters for giving: see `World.happen`.
PEOPLE = ("John", "Mary", "Sandra", "Daniel")
GIVERS = ("Mary", "Fred", "Bill", "Jeff")
TOWNSPEOPLE = ("Bill", "Fred", "Julie", "Mary")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
TOWN = ("bedroom", "cinema", "kitchen", "office", "park", "school")
OBJECTS = ("apple", "football", "milk")


class Action(Enum):
    """Actions of a person."""

    MOVE = "move"
    GET = "get"
    DROP = "drop"
    GIVE = "give"


class Event(NamedTuple):
    """An event; `what` is the destination of a move, and otherwise the object."""

    deed: Action
    person: str
    what: str
    receiver: str = ""


class World:
    """State of the world; initial places are random, and no object is held.

    Args:
        rng: Random number generator for all draws.
        people: Names of the people.
        giving: Whether people give each other objects.

    Attributes:
        place: Location of each person.
        lying: Location of each object that is not held.
        held: Objects held by each person.
    """

    def __init__(self, rng: random.Random, people: tuple[str, ...], giving: bool = False) -> None:
        self._rng = rng
        self._people = people
        self._deeds = 4 if giving else 3
        self.place = {person: pick(rng, PLACES) for person in people}
        self.lying = {thing: pick(rng, PLACES) for thing in OBJECTS}
        self.held: dict[str, list[str]] = {person: [] for person in people}

    def happen(self) -> Event:
        """Simulate one event.

        A person and an action are drawn until the action is possible. A person with nothing to
        get or drop therefore acts less often. As in the published files, giving ignores the
        person drawn: it passes the first object that can be given to the first eligible receiver.

        Returns:
            The event.
        """
        while True:
            person = pick(self._rng, self._people)
            event = self._try(int(self._rng.random() * self._deeds), person)
            if event is not None:
                return event

    def _try(self, deed: int, person: str) -> Event | None:
        if deed == 0:
            return self._move(person)
        if deed == 1:
            return self._get(person)
        if deed == 2:
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
        things = [thing for thing, place in self.lying.items() if place == here]
        if not things:
            return None
        thing = pick(self._rng, things)
        del self.lying[thing]
        self.held[person].append(thing)
        return Event(Action.GET, person, thing)

    def _drop(self, person: str) -> Event | None:
        things = self.held[person]
        if not things:
            return None
        thing = pick(self._rng, things)
        things.remove(thing)
        self.lying[thing] = self.place[person]
        return Event(Action.DROP, person, thing)

    def _give(self) -> Event | None:
        for thing in OBJECTS:
            if thing in self.lying:
                continue
            giver = next(person for person in self._people if thing in self.held[person])
            for receiver in self._people:
                if receiver != giver and self.place[receiver] == self.place[giver]:
                    self.held[giver].remove(thing)
                    self.held[receiver].append(thing)
                    return Event(Action.GIVE, giver, thing, receiver)
        return None
