"""Subtasks 2 and 3: people carry objects around; questions ask where an object is, or was."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.people_and_objects import ReportedEvent, WorldStoryBuilder
from rumcli.tasks.babi.generator.random_choice import pick
from rumcli.tasks.babi.generator.simulator import OBJECTS, Action, Event
from rumcli.tasks.babi.story import Question, Statement, Story


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

    def note(self, told: ReportedEvent) -> None:
        line, (deed, person, what, _) = told
        if deed is Action.MOVE:
            self._stay[person] = stay = _Stay(line, what)
            for thing in self.world.held[person]:
                self._carriages[thing].stays.append(stay)
        elif deed is Action.GET:
            self._carriages[what] = _Carriage(line, self._stay.get(person))
        else:
            carriage = self._carriages[what]
            carriage.handled, carriage.held = line, False

    def askable(self) -> list[str]:
        """Return the recently handled objects with a known answer, once per handling."""
        known = [thing for thing in OBJECTS if thing in self._carriages and self.is_known(thing)]
        if not known:
            return known
        return [told.event.what for told in self.recent if told.event.what in known]

    def ask(self) -> Question | None:
        things = self.askable()
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
        if event.deed is Action.GET:
            return templates.got_maybe_there(event.person, event.what)
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


MAKE = {2: two_supporting_facts, 3: three_supporting_facts}
