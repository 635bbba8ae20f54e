"""Subtasks 2, 3, 5, 6, 7 and 8: people move and handle objects.

Questions are about the people, or ask where an object is, or was.
"""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

from rumcli.tasks.babi.generator import story_builder
from rumcli.tasks.babi.generator.story_builder import (
    GIVERS,
    OBJECTS,
    PEOPLE,
    PLACES,
    Action,
    Event,
    StoryBuilder,
    World,
    pick,
    pick_other,
)
from rumcli.tasks.babi.stories import Question, Statement, Story


class ReportedEvent(NamedTuple):
    """An event and the number of the line that states it."""

    line: int
    event: Event


class WorldStoryBuilder(StoryBuilder[ReportedEvent]):
    """Builder of stories about a simulated world; `recent` contains the reported events.

    Args:
        rng: Random number generator for all draws.
        people: Names of the people.
        giving: Whether people give each other objects.

    Attributes:
        world: State of the world after the last statement.
    """

    def __init__(
        self, rng: random.Random, people: tuple[str, ...] = PEOPLE, giving: bool = False
    ) -> None:
        super().__init__(rng)
        self.world = World(rng, people, giving)

    def add_event(self) -> None:
        """Simulate an event and add its statement."""
        reported = ReportedEvent(self.next_line, self.world.simulate_event())
        self.recent.append(reported)
        self.record(reported)
        self.add_statement(self.wordings(reported.event))

    def record(self, reported: ReportedEvent) -> None:
        """Record information for later questions."""

    def wordings(self, event: Event) -> tuple[Statement, ...]:
        """Return all wordings of the statement of an event."""
        if event.action is Action.MOVE:
            return story_builder.moved(event.person, event.target)
        if event.action is Action.GET:
            return story_builder.got(event.person, event.target)
        if event.action is Action.DROP:
            return story_builder.dropped(event.person, event.target)
        return story_builder.gave(event.person, event.target, event.receiver)


class _PlaceAsker(WorldStoryBuilder):
    """Builder that asks whether a person who recently moved is in a place."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._moved: dict[str, int] = {}

    def record(self, reported: ReportedEvent) -> None:
        if reported.event.action is Action.MOVE:
            self._moved[reported.event.person] = reported.line

    def make_question(self) -> Question | None:
        moves = [reported for reported in self.recent if reported.event.action is Action.MOVE]
        if not moves:
            return None
        person = pick(self.rng, moves).event.person
        place, answer = self.world.place[person], "yes"
        if self.rng.random() < 0.5:
            place, answer = pick_other(self.rng, PLACES, place), "no"
        return Question(f"Is {person} in the {place}?", answer, (self._moved[person],))


class _Counter(WorldStoryBuilder):
    """Builder that asks how many objects a person carries, after a recent handling."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, giving=True)
        self._handlings: dict[str, list[int]] = {person: [] for person in PEOPLE}

    def record(self, reported: ReportedEvent) -> None:
        event = reported.event
        if event.action is not Action.MOVE:
            self._handlings[event.person].append(reported.line)
        if event.action is Action.GIVE:
            self._handlings[event.receiver].append(reported.line)

    def make_question(self) -> Question | None:
        handlings = [
            reported for reported in self.recent if reported.event.action is not Action.MOVE
        ]
        if not handlings:
            return None
        person = pick(self.rng, handlings).event.person
        return Question(
            f"How many objects is {person} carrying?",
            story_builder.NUMBERS[len(self.world.held[person])],
            tuple(self._handlings[person]),
        )


class _Lister(WorldStoryBuilder):
    """Builder that asks which objects a person carries, after a recent handling."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        # _handlings[person][object] = line numbers; objects in the order of first handling.
        self._handlings: dict[str, dict[str, list[int]]] = {person: {} for person in PEOPLE}

    def record(self, reported: ReportedEvent) -> None:
        event = reported.event
        if event.action is not Action.MOVE:
            self._handlings[event.person].setdefault(event.target, []).append(reported.line)

    def make_question(self) -> Question | None:
        handlings = [
            reported for reported in self.recent if reported.event.action is not Action.MOVE
        ]
        if not handlings:
            return None
        person = pick(self.rng, handlings).event.person
        lines = self._handlings[person]
        held = self.world.held[person]
        # As in the published files, objects and lines are sorted by the first handling of each.
        answer = ",".join(thing for thing in lines if thing in held) or "nothing"
        supporting = tuple(line for of_thing in lines.values() for line in of_thing)
        return Question(f"What is {person} carrying?", answer, supporting)


class _GiftAsker(WorldStoryBuilder):
    """Builder that asks about the latest transfer of an object that was recently given."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, GIVERS, giving=True)
        self._latest: dict[str, ReportedEvent] = {}
        self._between: dict[tuple[str, str], ReportedEvent] = {}

    def record(self, reported: ReportedEvent) -> None:
        event = reported.event
        if event.action is Action.GIVE:
            self._latest[event.target] = reported
            self._between[event.person, event.receiver] = reported

    def make_question(self) -> Question | None:
        # Objects are drawn in proportion to their recent transfers, but only the latest counts.
        gifts = [reported for reported in self.recent if reported.event.action is Action.GIVE]
        if not gifts:
            return None
        reported = self._latest[pick(self.rng, gifts).event.target]
        _, giver, thing, receiver = reported.event
        questions = [
            (f"Who gave the {thing}?", giver),
            (f"Who gave the {thing} to {receiver}?", giver),
            (f"Who received the {thing}?", receiver),
            (f"Who did {giver} give the {thing} to?", receiver),
        ]
        # Twice as likely as each other question, if this is the latest transfer between the two.
        if self._between[giver, receiver] is reported:
            questions += 2 * [(f"What did {giver} give to {receiver}?", thing)]
        text, answer = pick(self.rng, questions)
        return Question(text, answer, (reported.line,))


def three_arg_relations(rng: random.Random) -> Story:
    """Generate a story of subtask 5: giver, object and receiver."""
    return _GiftAsker(rng).story()


def yes_no_questions(rng: random.Random) -> Story:
    """Generate a story of subtask 6: whether a person is in a place."""
    return _PlaceAsker(rng).story()


def counting(rng: random.Random) -> Story:
    """Generate a story of subtask 7: number of objects that a person carries."""
    return _Counter(rng).story()


def lists_sets(rng: random.Random) -> Story:
    """Generate a story of subtask 8: objects that a person carries."""
    return _Lister(rng).story()


class _Stay(NamedTuple):
    """A place, and the number of the line that states the move there."""

    line: int
    place: str


@dataclass(slots=True)
class _Carriage:
    """The latest transport of an object.

    Args:
        handled: Number of the line that states the latest get or drop.
        got_at: Place where the object was picked up; None if no statement names it.
        held: Whether the object is still held.
        stays: Places to which the object was carried, in order.
    """

    handled: int
    got_at: _Stay | None
    held: bool = True
    stays: list[_Stay] = field(default_factory=list)


class _Carrier(WorldStoryBuilder):
    """Builder that asks about an object that was recently got or dropped."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._stay: dict[str, _Stay] = {}
        self._carriages: dict[str, _Carriage] = {}

    def record(self, reported: ReportedEvent) -> None:
        line, (action, person, target, _) = reported
        if action is Action.MOVE:
            self._stay[person] = stay = _Stay(line, target)
            for thing in self.world.held[person]:
                self._carriages[thing].stays.append(stay)
        elif action is Action.GET:
            self._carriages[target] = _Carriage(line, self._stay.get(person))
        else:
            carriage = self._carriages[target]
            carriage.handled, carriage.held = line, False

    def question_candidates(self) -> list[str]:
        """Return the recently handled objects with a known answer, once per handling."""
        known = [thing for thing in OBJECTS if thing in self._carriages and self.is_known(thing)]
        if not known:
            return known
        return [reported.event.target for reported in self.recent if reported.event.target in known]

    def make_question(self) -> Question | None:
        things = self.question_candidates()
        if not things:
            return None
        thing = pick(self.rng, things)
        return self.question(thing, self._carriages[thing])

    @abstractmethod
    def is_known(self, thing: str) -> bool:
        """Return whether the statements determine the answer about an object."""

    @abstractmethod
    def question(self, thing: str, carriage: _Carriage) -> Question:
        """Return the question about an object with a known answer."""


class _Finder(_Carrier):
    """Builder that asks where an object is: lying in a known place, or carried to one."""

    def is_known(self, thing: str) -> bool:
        carriage = self._carriages[thing]
        return bool(carriage.stays) or (not carriage.held and carriage.got_at is not None)

    def question(self, thing: str, carriage: _Carriage) -> Question:
        stay = carriage.stays[-1] if carriage.stays else carriage.got_at
        assert stay is not None
        return Question(f"Where is the {thing}?", stay.place, (carriage.handled, stay.line))


class _Tracer(_Carrier):
    """Builder that asks where an object was before; it was carried to at least two places."""

    def wordings(self, event: Event) -> tuple[Statement, ...]:
        if event.action is Action.GET:
            return story_builder.got_maybe_there(event.person, event.target)
        return super().wordings(event)

    def is_known(self, thing: str) -> bool:
        return len(self._carriages[thing].stays) > 1

    def question(self, thing: str, carriage: _Carriage) -> Question:
        before, stay = self._two_stays(carriage.stays)
        return Question(
            f"Where was the {thing} before the {stay.place}?",
            before.place,
            (carriage.handled, stay.line, before.line),
        )

    def _two_stays(self, stays: list[_Stay]) -> tuple[_Stay, _Stay]:
        # The last stay in a drawn place; drawn again if that is the very first stay.
        while True:
            place = pick(self.rng, stays).place
            last = max(number for number, stay in enumerate(stays) if stay.place == place)
            if last > 0:
                return stays[last - 1], stays[last]


def two_supporting_facts(rng: random.Random) -> Story:
    """Generate a story of subtask 2: where an object is."""
    return _Finder(rng).story()


def three_supporting_facts(rng: random.Random) -> Story:
    """Generate a story of subtask 3: where an object was before."""
    return _Tracer(rng).story()
