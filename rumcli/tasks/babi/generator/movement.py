"""Subtasks 1 and 9 to 14: people move, alone or in pairs; questions ask for a location.

Subtask 14 states moves at four times of day, out of order. Subtasks 9 and 10 state where a person
went, is, is not or may be; the answer is yes, no or maybe. There the person moves before every
statement, and a denial names the previous location and reveals nothing about the new one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from rumcli.tasks.babi.generator import story_builder
from rumcli.tasks.babi.generator.story_builder import (
    PEOPLE,
    PLACES,
    QUESTIONS,
    RECENT,
    STATEMENTS,
    TOWN,
    TOWNSPEOPLE,
    StoryBuilder,
    pick,
    pick_other,
)
from rumcli.tasks.babi.stories import Line, Question, Story


class _Mover(StoryBuilder[str]):
    """Builder of stories in which people move; `recent` contains the names of the movers.

    Args:
        rng: Random number generator for all draws.
        together: Number of people who move together.
        refers: Whether every other statement refers to the people of the previous one by pronoun.
    """

    def __init__(self, rng: random.Random, together: int, refers: bool) -> None:
        super().__init__(rng)
        self._together = together
        self._refers = refers
        self._movers: tuple[str, ...] = ()
        self._place = {person: pick(rng, PLACES) for person in PEOPLE}
        self._supporting: dict[str, tuple[int, ...]] = {}

    def add_event(self) -> None:
        if self._refers and self._movers:
            self._add_reference(self._movers)
            self._movers = ()
        else:
            self._movers = self._add_move()

    def make_question(self) -> Question:
        person = pick(self.rng, self.recent)
        return Question(f"Where is {person}?", self._place[person], self._supporting[person])

    def _add_move(self) -> tuple[str, ...]:
        while True:
            movers = tuple(self.rng.sample(PEOPLE, self._together))
            place = pick(self.rng, PLACES)
            if all(self._place[mover] != place for mover in movers):
                break
        self._move(movers, place, (self.next_line,))
        self.add_statement(story_builder.moved(" and ".join(movers), place))
        return movers

    def _add_reference(self, movers: tuple[str, ...]) -> None:
        place = pick_other(self.rng, PLACES, self._place[movers[0]])
        name = story_builder.pronoun(movers[0]) if len(movers) == 1 else "they"
        self._move(movers, place, (self.next_line - 1, self.next_line))
        self.add_statement(
            story_builder.moved(f"{pick(self.rng, story_builder.LATER)} {name}", place)
        )

    def _move(self, movers: tuple[str, ...], place: str, supporting: tuple[int, ...]) -> None:
        for mover in movers:
            self._place[mover] = place
            self._supporting[mover] = supporting
        self.recent.extend(movers)


def single_supporting_fact(rng: random.Random) -> Story:
    """Generate a story of subtask 1: a person moves."""
    return _Mover(rng, together=1, refers=False).story()


def basic_coreference(rng: random.Random) -> Story:
    """Generate a story of subtask 11: a person moves, then moves again, referred to by pronoun."""
    return _Mover(rng, together=1, refers=True).story()


def conjunction(rng: random.Random) -> Story:
    """Generate a story of subtask 12: two people move together."""
    return _Mover(rng, together=2, refers=False).story()


def compound_coreference(rng: random.Random) -> Story:
    """Generate a story of subtask 13: two people move together, then `they` move again."""
    return _Mover(rng, together=2, refers=True).story()


class _Visit(NamedTuple):
    """A move; `time` is an index into `story_builder.TIMES`."""

    person: str
    place: str
    time: int


class _Diary:
    """Builder of a story with statements in shuffled order, two visits at a time."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lines: list[Line] = []
        self._visits: list[_Visit] = []
        self._places: dict[str, list[str]] = {person: [] for person in TOWNSPEOPLE}
        self._line_of: dict[tuple[str, int], int] = {}

    def story(self) -> Story:
        """Build a story with five questions."""
        self._add_statements(self._first_visits())
        self._add_question()
        for _ in range(QUESTIONS - 1):
            self._add_statements(self._more_visits())
            self._add_question()
        return Story(tuple(self._lines))

    def _first_visits(self) -> list[_Visit]:
        visits = self._more_visits()
        while all(visit.time == 0 for visit in visits):
            visits += self._more_visits()
        return visits

    def _more_visits(self) -> list[_Visit]:
        return [self._visit() for _ in range(STATEMENTS)]

    def _visit(self) -> _Visit:
        people = [p for p, places in self._places.items() if len(places) < len(story_builder.TIMES)]
        person = pick(self._rng, people)
        places = self._places[person]
        place = pick_other(self._rng, TOWN, places[-1] if places else "")
        visit = _Visit(person, place, len(places))
        places.append(place)
        self._visits.append(visit)
        return visit

    def _add_statements(self, visits: list[_Visit]) -> None:
        # As in the published files, no statement keeps its chronological position: a derangement.
        shuffled = visits[:]
        while any(old is new for old, new in zip(visits, shuffled, strict=True)):
            self._rng.shuffle(shuffled)
        for person, place, time in shuffled:
            wordings = story_builder.moved_at(person, place, story_builder.TIMES[time])
            self._lines.append(pick(self._rng, wordings))
            self._line_of[person, time] = len(self._lines)

    def _add_question(self) -> None:
        # Four people have only four first visits. Thus at least one of the last five visits, or of
        # the initial ones, is a later visit.
        visits = [visit for visit in self._visits[-RECENT:] if visit.time > 0]
        person, place, _ = pick(self._rng, visits)
        places = self._places[person]
        # If the person visited the place twice, the question is about the last visit.
        time = max(time for time, visited in enumerate(places) if visited == place)
        supporting = (self._line_of[person, time], self._line_of[person, time - 1])
        text = f"Where was {person} before the {place}?"
        self._lines.append(Question(text, places[time - 1], supporting))


def time_reasoning(rng: random.Random) -> Story:
    """Generate a story of subtask 14."""
    return _Diary(rng).story()


@dataclass(frozen=True, slots=True)
class _Report:
    """The latest statement about a person.

    Args:
        line: Line number of the statement.
        denied: Location that a denial excludes; None for other statements.
        possible: Locations that the statement allows; empty for a denial.
    """

    line: int
    denied: str | None = None
    possible: tuple[str, ...] = ()


class _Reporter(StoryBuilder[str]):
    """Builder of stories with denials; `recent` contains the names of the people."""

    def __init__(
        self, rng: random.Random, people: tuple[str, ...], places: tuple[str, ...]
    ) -> None:
        super().__init__(rng)
        self._people = people
        self._places = places
        self._place = {person: pick(rng, places) for person in people}
        self._reports: dict[str, _Report] = {}

    def add_event(self) -> None:
        person = pick(self.rng, self._people)
        before = self._place[person]
        now = pick_other(self.rng, self._places, before)
        self._place[person] = now
        self._reports[person] = self._report(person, before, now)
        self.recent.append(person)

    def make_question(self) -> Question:
        person = pick(self.rng, self.recent)
        report = self._reports[person]
        place = report.denied
        if place is None:
            place = self._place[person]
            if self.rng.random() < 0.5:
                place = pick_other(self.rng, self._places, place)
        answer = "no"
        if place in report.possible:
            answer = "yes" if len(report.possible) == 1 else "maybe"
        return Question(f"Is {person} in the {place}?", answer, (report.line,))

    def _report(self, person: str, before: str, now: str) -> _Report:
        line, kind = self.next_line, self.rng.random()
        if kind < 0.5:
            self.add_statement(story_builder.moved(person, now))
        elif kind < 0.75:
            self.add_statement(story_builder.is_in(person, now))
        else:
            return self._report_vaguely(person, before, now)
        return _Report(line, possible=(now,))

    def _report_vaguely(self, person: str, before: str, now: str) -> _Report:
        line = self.next_line
        self.add_statement(story_builder.is_not_in(person, before))
        return _Report(line, denied=before)


class _Guesser(_Reporter):
    """Builder of stories with two alternative locations in place of a denial."""

    def _report_vaguely(self, person: str, before: str, now: str) -> _Report:
        line = self.next_line
        # As in the published files, the alternatives may coincide; the answer is still "maybe".
        places = (now, pick(self.rng, self._places))
        if self.rng.random() < 0.5:
            places = places[::-1]
        self.add_statement(story_builder.is_in_either(person, *places))
        return _Report(line, possible=places)


def simple_negation(rng: random.Random) -> Story:
    """Generate a story of subtask 9: yes or no."""
    return _Reporter(rng, PEOPLE, PLACES).story()


def indefinite_knowledge(rng: random.Random) -> Story:
    """Generate a story of subtask 10: yes, no or maybe."""
    return _Guesser(rng, TOWNSPEOPLE, TOWN).story()
