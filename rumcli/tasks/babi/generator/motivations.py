"""Agents' motivations (20): a state explains where people go and which object they get."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rumcli.tasks.babi.story import Line, Question, Statement, Story

_PEOPLE = ("Antoine", "Jason", "Sumit", "Yann")
# state: (destination, object)
_GOALS = {
    "bored": ("garden", "football"),
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "tired": ("bedroom", "pajamas"),
}
_GO = ("journeyed", "moved", "travelled", "went", "went back")
_GET = ("got", "grabbed", "picked up", "took")


@dataclass(slots=True)
class _Agent:
    """A person.

    Args:
        name: Name of the person.
        state: Motivation, a key of `_GOALS`.
        line: Number of the line that states `state`; None before it.
        is_there: Whether the person has reached the destination.
    """

    name: str
    state: str
    line: int | None = None
    is_there: bool = False


def agents_motivations(draw: random.Random) -> Story:
    """Generate a story of subtask 20: people have a state, go somewhere and get an object.

    The next agent is drawn among those that can still act; each object is taken once. A question
    follows every statement.
    """
    left = [_Agent(name, draw.choice(tuple(_GOALS))) for name in _PEOPLE]
    taken: set[str] = set()
    lines: list[Line] = []
    while left:
        agent = draw.choice(left)
        lines += _next(draw, agent, len(lines) + 1, taken)
        left = [one for one in left if not (one.is_there and one.state in taken)]
    return Story(tuple(lines))


def _next(
    draw: random.Random, agent: _Agent, line: int, taken: set[str]
) -> tuple[Statement, Question]:
    """Return the agent's next statement, at line number `line`, and the question about it."""
    name, state = agent.name, agent.state
    person = name.lower()
    place, thing = _GOALS[state]
    if agent.line is None:
        agent.line = line
        statement = f"{name} is {state}."
        question = Question(f"Where will {person} go?", place, (line,))
    elif not agent.is_there:
        agent.is_there = True
        statement = f"{name} {draw.choice(_GO)} to the {place}."
        question = Question(f"Why did {person} go to the {place}?", state, (agent.line,))
    else:
        taken.add(state)
        statement = f"{name} {draw.choice(_GET)} the {thing} there."
        question = Question(f"Why did {person} get the {thing}?", state, (agent.line,))
    return Statement(statement), question


MAKE = {20: agents_motivations}
