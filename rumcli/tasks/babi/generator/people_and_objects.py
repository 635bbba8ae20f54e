"""Subtasks 5, 6, 7 and 8: people move and handle objects, and one is asked about the people."""

from __future__ import annotations

import random
from typing import NamedTuple

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.random_choice import pick, pick_other
from rumcli.tasks.babi.generator.simulator import GIVERS, PEOPLE, PLACES, Action, Event, World
from rumcli.tasks.babi.generator.story_builder import StoryBuilder
from rumcli.tasks.babi.story import Question, Statement, Story


class ReportedEvent(NamedTuple):
    """An event, and the number of the line that tells it."""

    line: int
    event: Event


class WorldStoryBuilder(StoryBuilder[ReportedEvent]):
    """Tells what happens in a world.

    Args:
        rng: Where all draws come from.
        people: Who is there.
        giving: Whether people give each other objects.

    Attributes:
        world: Its state after the last statement.
    """

    def __init__(
        self, rng: random.Random, people: tuple[str, ...] = PEOPLE, giving: bool = False
    ) -> None:
        super().__init__(rng)
        self.world = World(rng, people, giving)

    def tell(self) -> None:
        """Let something happen in the world, and say it."""
        told = ReportedEvent(self.next_line, self.world.happen())
        self.recent.append(told)
        self.note(told)
        self.say(self.wordings(told.event))

    def note(self, told: ReportedEvent) -> None:
        """Remember what a later question may need."""

    def wordings(self, event: Event) -> tuple[Statement, ...]:
        """Return the statements that tell an event."""
        if event.deed is Action.MOVE:
            return templates.moved(event.person, event.what)
        if event.deed is Action.GET:
            return templates.got(event.person, event.what)
        if event.deed is Action.DROP:
            return templates.dropped(event.person, event.what)
        return templates.gave(event.person, event.what, event.receiver)


class _PlaceAsker(WorldStoryBuilder):
    """Asks whether someone who moved lately is in a place."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._moved: dict[str, int] = {}

    def note(self, told: ReportedEvent) -> None:
        if told.event.deed is Action.MOVE:
            self._moved[told.event.person] = told.line

    def ask(self) -> Question | None:
        moves = [told for told in self.recent if told.event.deed is Action.MOVE]
        if not moves:
            return None
        person = pick(self.rng, moves).event.person
        place, answer = self.world.place[person], "yes"
        if self.rng.random() < 0.5:
            place, answer = pick_other(self.rng, PLACES, place), "no"
        return Question(f"Is {person} in the {place}?", answer, (self._moved[person],))


class _Counter(WorldStoryBuilder):
    """Asks how many objects someone carries who lately got, dropped or gave one."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, giving=True)
        self._handlings: dict[str, list[int]] = {person: [] for person in PEOPLE}

    def note(self, told: ReportedEvent) -> None:
        event = told.event
        if event.deed is not Action.MOVE:
            self._handlings[event.person].append(told.line)
        if event.deed is Action.GIVE:
            self._handlings[event.receiver].append(told.line)

    def ask(self) -> Question | None:
        handlings = [told for told in self.recent if told.event.deed is not Action.MOVE]
        if not handlings:
            return None
        person = pick(self.rng, handlings).event.person
        return Question(
            f"How many objects is {person} carrying?",
            templates.NUMBERS[len(self.world.held[person])],
            tuple(self._handlings[person]),
        )


class _Lister(WorldStoryBuilder):
    """Asks what someone carries who lately got or dropped something."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        # By object, in the order in which the person came to handle it first.
        self._handlings: dict[str, dict[str, list[int]]] = {person: {} for person in PEOPLE}

    def note(self, told: ReportedEvent) -> None:
        event = told.event
        if event.deed is not Action.MOVE:
            self._handlings[event.person].setdefault(event.what, []).append(told.line)

    def ask(self) -> Question | None:
        handlings = [told for told in self.recent if told.event.deed is not Action.MOVE]
        if not handlings:
            return None
        person = pick(self.rng, handlings).event.person
        lines = self._handlings[person]
        held = self.world.held[person]
        # As in the published files, answer and supporting lines go by the first time of each.
        answer = ",".join(thing for thing in lines if thing in held) or "nothing"
        supporting = tuple(line for of_thing in lines.values() for line in of_thing)
        return Question(f"What is {person} carrying?", answer, supporting)


class _GiftAsker(WorldStoryBuilder):
    """Asks about an object's latest giving, if that was lately."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng, GIVERS, giving=True)
        self._latest: dict[str, ReportedEvent] = {}
        self._between: dict[tuple[str, str], ReportedEvent] = {}

    def note(self, told: ReportedEvent) -> None:
        event = told.event
        if event.deed is Action.GIVE:
            self._latest[event.what] = told
            self._between[event.person, event.receiver] = told

    def ask(self) -> Question | None:
        # An object is drawn as often as it was given lately, but only its latest giving counts.
        gifts = [told for told in self.recent if told.event.deed is Action.GIVE]
        if not gifts:
            return None
        told = self._latest[pick(self.rng, gifts).event.what]
        _, giver, thing, receiver = told.event
        questions = [
            (f"Who gave the {thing}?", giver),
            (f"Who gave the {thing} to {receiver}?", giver),
            (f"Who received the {thing}?", receiver),
            (f"Who did {giver} give the {thing} to?", receiver),
        ]
        # Twice as often as each of the others, unless they have given something else since then.
        if self._between[giver, receiver] is told:
            questions += 2 * [(f"What did {giver} give to {receiver}?", thing)]
        text, answer = pick(self.rng, questions)
        return Question(text, answer, (told.line,))


def three_arg_relations(rng: random.Random) -> Story:
    """Make a story of subtask 5: who gave what to whom."""
    return _GiftAsker(rng).story()


def yes_no_questions(rng: random.Random) -> Story:
    """Make a story of subtask 6: whether someone is in a place."""
    return _PlaceAsker(rng).story()


def counting(rng: random.Random) -> Story:
    """Make a story of subtask 7: how many objects someone carries."""
    return _Counter(rng).story()


def lists_sets(rng: random.Random) -> Story:
    """Make a story of subtask 8: which objects someone carries."""
    return _Lister(rng).story()


MAKE = {5: three_arg_relations, 6: yes_no_questions, 7: counting, 8: lists_sets}
