"""Boxes and what goes into them: size reasoning (18)."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rumcli.tasks.babi.story import Line, Question, Statement, Story

_SMALLEST = ("chocolate", "box of chocolates")
_CONTAINERS = ("box", "chest", "container", "suitcase")
_ROUND = 5  # statements, then as many questions
# With these a round has fewer than five questions as often as in the published files: in 2 % of
# the rounds after 5 statements of which a single one can be asked about, in 40 % of those after 10.
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class _Comparison:
    bigger: str
    smaller: str
    line: int


@dataclass(frozen=True, slots=True)
class _Step:
    """What is asked about: two things, each compared with the same third one.

    Args:
        one: The thing that the question names first, if it asks which is bigger.
        other: The other thing.
        is_bigger: Whether the first is the bigger one.
        lines: Of the two comparisons, that of the first thing first.
    """

    one: str
    other: str
    is_bigger: bool
    lines: tuple[int, int]


def size_reasoning(draw: random.Random) -> Story:
    """Make a story of subtask 18: rounds of statements and questions until one has all five."""
    ascending = [*_SMALLEST, *draw.sample(_CONTAINERS, len(_CONTAINERS))]
    lines: list[Line] = []
    comparisons: list[_Comparison] = []
    asked = 0
    while asked < _ROUND:
        for _ in range(_ROUND):
            smaller, bigger = sorted(draw.sample(range(len(ascending)), 2))
            comparison = _Comparison(ascending[bigger], ascending[smaller], len(lines) + 1)
            lines.append(_statement(draw, comparison))
            comparisons.append(comparison)
        questions = _questions(draw, _steps(comparisons), 2 * len(comparisons))
        lines += questions
        asked = len(questions)
    return Story(tuple(lines))


def _statement(draw: random.Random, comparison: _Comparison) -> Statement:
    if draw.random() < 0.5:
        return Statement(f"The {comparison.bigger} is bigger than the {comparison.smaller}.")
    return Statement(f"The {comparison.smaller} fits inside the {comparison.bigger}.")


def _steps(comparisons: list[_Comparison]) -> list[_Step]:
    """Return all that can be asked about.

    As in the published files, a comparison goes on only with the first other one in which the
    thing between occurs, and only if that one goes on in the same direction.
    """
    meeting: dict[str, list[_Comparison]] = {}
    for comparison in comparisons:
        for thing in (comparison.bigger, comparison.smaller):
            meeting.setdefault(thing, []).append(comparison)
    steps = []
    for one in comparisons:
        for between in (one.bigger, one.smaller):
            first, *others = meeting[between]
            if first is one:
                if not others:
                    continue
                first = others[0]
            lines = (one.line, first.line)
            if one.smaller == between == first.bigger:
                steps.append(_Step(one.bigger, first.smaller, True, lines))
            elif one.bigger == between == first.smaller:
                steps.append(_Step(one.smaller, first.bigger, False, lines))
    return steps


def _questions(draw: random.Random, steps: list[_Step], ends: int) -> list[Question]:
    """Ask about steps until there are enough questions or too many attempts.

    Args:
        draw: Decides.
        steps: What can be asked about.
        ends: Of comparisons; an attempt draws one of them, and some begin a step.
    """
    questions: list[Question] = []
    for _ in range(_ATTEMPTS if steps else 0):
        number = draw.randrange(ends)
        if number < len(steps):
            questions.append(_question(draw, steps[number]))
            if len(questions) == _ROUND:
                break
    return questions


def _question(draw: random.Random, step: _Step) -> Question:
    if draw.random() < 0.5:
        text = f"Is the {step.one} bigger than the {step.other}?"
    else:
        text = f"Does the {step.other} fit in the {step.one}?"
    return Question(text, "yes" if step.is_bigger else "no", step.lines)


MAKE = {18: size_reasoning}
