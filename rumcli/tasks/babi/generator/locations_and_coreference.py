"""Subtasks 1, 11, 12 and 13: people move, alone or in pairs; questions ask for a location."""

from __future__ import annotations

import random

from rumcli.tasks.babi.generator import templates
from rumcli.tasks.babi.generator.random_choice import pick, pick_other
from rumcli.tasks.babi.generator.simulator import PEOPLE, PLACES
from rumcli.tasks.babi.generator.story_builder import StoryBuilder
from rumcli.tasks.babi.story import Question, Story


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

    def tell(self) -> None:
        if self._refers and self._movers:
            self._tell_again(self._movers)
            self._movers = ()
        else:
            self._movers = self._tell_new()

    def ask(self) -> Question:
        person = pick(self.rng, self.recent)
        return Question(f"Where is {person}?", self._place[person], self._supporting[person])

    def _tell_new(self) -> tuple[str, ...]:
        while True:
            movers = tuple(self.rng.sample(PEOPLE, self._together))
            place = pick(self.rng, PLACES)
            if all(self._place[mover] != place for mover in movers):
                break
        self._move(movers, place, (self.next_line,))
        self.say(templates.moved(" and ".join(movers), place))
        return movers

    def _tell_again(self, movers: tuple[str, ...]) -> None:
        place = pick_other(self.rng, PLACES, self._place[movers[0]])
        name = templates.pronoun(movers[0]) if len(movers) == 1 else "they"
        self._move(movers, place, (self.next_line - 1, self.next_line))
        self.say(templates.moved(f"{pick(self.rng, templates.LATER)} {name}", place))

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


MAKE = {
    1: single_supporting_fact,
    11: basic_coreference,
    12: conjunction,
    13: compound_coreference,
}
