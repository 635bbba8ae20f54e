"""Subtask 14: who moved yesterday, this morning, this afternoon and this evening, not in order."""

from __future__ import annotations

import random
from typing import NamedTuple

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.random_choice import pick, pick_other
from rumcli.tasks.babi.generator.simulator import TOWN, TOWNSPEOPLE
from rumcli.tasks.babi.generator.story_builder import QUESTIONS, RECENT, STATEMENTS
from rumcli.tasks.babi.story import Line, Question, Story


class _Visit(NamedTuple):
    """A move, by the number of its time of day."""

    person: str
    place: str
    time: int


class _Diary:
    """Tells what happened in a shuffled order, two visits at a time."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._lines: list[Line] = []
        self._visits: list[_Visit] = []
        self._places: dict[str, list[str]] = {person: [] for person in TOWNSPEOPLE}
        self._line_of: dict[tuple[str, int], int] = {}

    def story(self) -> Story:
        """Tell a story with five questions."""
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
        # As in the published files: none stands where it would in order of time. Two change places.
        shuffled = visits[:]
        while any(old is new for old, new in zip(visits, shuffled, strict=True)):
            self._rng.shuffle(shuffled)
        for person, place, time in shuffled:
            wordings = templates.moved_at(person, place, templates.TIMES[time])
            self._lines.append(pick(self._rng, wordings))
            self._line_of[person, time] = len(self._lines)

    def _ask(self) -> None:
        # Four people have four first visits, so that one of the last five, or of the first ones,
        # was not a first.
        visits = [visit for visit in self._visits[-RECENT:] if visit.time > 0]
        person, place, _ = pick(self._rng, visits)
        places = self._places[person]
        # Someone who came twice is asked about as of the last time.
        time = max(time for time, visited in enumerate(places) if visited == place)
        supporting = (self._line_of[person, time], self._line_of[person, time - 1])
        text = f"Where was {person} before the {place}?"
        self._lines.append(Question(text, places[time - 1], supporting))


def time_reasoning(rng: random.Random) -> Story:
    """Make a story of subtask 14."""
    return _Diary(rng).story()


MAKE = {14: time_reasoning}
