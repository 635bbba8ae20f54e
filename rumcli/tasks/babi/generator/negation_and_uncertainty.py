"""Subtasks 9 and 10: statements on where a person went, is, is not or may be; yes, no or maybe.

The person moves before every statement. A denial names the previous location and reveals nothing
about the new one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.random_choice import pick, pick_other
from rumcli.tasks.babi.generator.simulator import PEOPLE, PLACES, TOWN, TOWNSPEOPLE
from rumcli.tasks.babi.generator.story_builder import StoryBuilder
from rumcli.tasks.babi.story import Question, Story


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

    def tell(self) -> None:
        person = pick(self.rng, self._people)
        before = self._place[person]
        now = pick_other(self.rng, self._places, before)
        self._place[person] = now
        self._reports[person] = self._report(person, before, now)
        self.recent.append(person)

    def ask(self) -> Question:
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
            self.say(templates.moved(person, now))
        elif kind < 0.75:
            self.say(templates.is_in(person, now))
        else:
            return self._report_vaguely(person, before, now)
        return _Report(line, possible=(now,))

    def _report_vaguely(self, person: str, before: str, now: str) -> _Report:
        line = self.next_line
        self.say(templates.is_not_in(person, before))
        return _Report(line, denied=before)


class _Guesser(_Reporter):
    """Builder of stories with two alternative locations in place of a denial."""

    def _report_vaguely(self, person: str, before: str, now: str) -> _Report:
        line = self.next_line
        # As in the published files, the alternatives may coincide; the answer is still "maybe".
        places = (now, pick(self.rng, self._places))
        if self.rng.random() < 0.5:
            places = places[::-1]
        self.say(templates.is_in_either(person, *places))
        return _Report(line, possible=places)


def simple_negation(rng: random.Random) -> Story:
    """Generate a story of subtask 9: yes or no."""
    return _Reporter(rng, PEOPLE, PLACES).story()


def indefinite_knowledge(rng: random.Random) -> Story:
    """Generate a story of subtask 10: yes, no or maybe."""
    return _Guesser(rng, TOWNSPEOPLE, TOWN).story()


MAKE = {9: simple_negation, 10: indefinite_knowledge}
