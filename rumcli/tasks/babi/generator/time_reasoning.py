"""Subtask 14: moves at four times of day, stated out of order."""

from __future__ import annotations

import random
from typing import NamedTuple

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.random_choice import pick, pick_other
from rumcli.tasks.babi.generator.simulator import TOWN, TOWNSPEOPLE
from rumcli.tasks.babi.generator.story_builder import QUESTIONS, RECENT, STATEMENTS
from rumcli.tasks.babi.story import Line, Question, Story


class _Visit(NamedTuple):
    """A move; `time` is an index into `templates.TIMES`."""

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
        self._tell(self._first_visits())
        self._ask()
        for _ in range(QUESTIONS - 1):
            self._tell(self._more_visits())
            self._ask()
        return Story(tuple(self._lines))

    def _first_visits(self) -> list[_Visit]:
        visits = self._more_visits()
        while all(visit.time == 0 for visit in visits):
            visits += self._more_visits()
        return visits

    def _more_visits(self) -> list[_Visit]:
        return [self._visit() for _ in range(STATEMENTS)]

    def _visit(self) -> _Visit:
        people = [p for p, places in self._places.items() if len(places) < len(templates.TIMES)]
        person = pick(self._rng, people)
        places = self._places[person]
        place = pick_other(self._rng, TOWN, places[-1] if places else "")
        visit = _Visit(person, place, len(places))
        places.append(place)
        self._visits.append(visit)
        return visit

    def _tell(self, visits: list[_Visit]) -> None:
        # As in the published files, no statement keeps its chronological position: a derangement.
        shuffled = visits[:]
        while any(old is new for old, new in zip(visits, shuffled, strict=True)):
            self._rng.shuffle(shuffled)
        for person, place, time in shuffled:
            wordings = templates.moved_at(person, place, templates.TIMES[time])
            self._lines.append(pick(self._rng, wordings))
            self._line_of[person, time] = len(self._lines)

    def _ask(self) -> None:
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


MAKE = {14: time_reasoning}
