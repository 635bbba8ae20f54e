"""Size reasoning (18): boxes and the objects that fit inside."""

from __future__ import annotations

import random
from dataclasses import dataclass

from rumcli.tasks.babi.story import Line, Question, Statement, Story

_SMALLEST = ("chocolate", "box of chocolates")
_CONTAINERS = ("box", "chest", "container", "suitcase")
_ROUND = 5  # statements, followed by as many questions
# Chosen to match how often a round of the published files has fewer than five questions: in 2 %
# of the rounds after 5 statements with a single possible question, in 40 % of those after 10.
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class _Comparison:
    bigger: str
    smaller: str
    line: int


@dataclass(frozen=True, slots=True)
class _Step:
    """A two-step inference: two things, each compared with the same third one.

    Args:
        one: First thing in the question that asks which is bigger.
        other: Second thing.
        is_bigger: Whether `one` is bigger than `other`.
        lines: Line numbers of the two comparisons, that of `one` first.
    """

    one: str
    other: str
    is_bigger: bool
    lines: tuple[int, int]


def size_reasoning(draw: random.Random) -> Story:
    """Generate a story of subtask 18: rounds of statements and questions, the last one complete."""
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
    """Return all two-step inferences that a question may require.

    As in the published files, a comparison is chained only with the first other comparison that
    contains the shared thing, and only if both have the same direction.
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
    """Draw questions until there are enough, or too many attempts.

    Args:
        draw: Random number generator.
        steps: Possible inferences.
        ends: Number of comparison ends, two per comparison. An attempt draws one of them, and
            succeeds for the first `len(steps)`.
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
