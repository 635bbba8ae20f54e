"""Places and shapes on a grid: two-arg-relations (4), positional reasoning (17), path finding (19).

A story states the relative position of neighbors, pair by pair. Only stated pairs are connected:
in path finding, two unconnected places may share the same grid position.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from rumcli.tasks.babi.story import Question, Statement, Story

_PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
_SHAPES = (
    "blue square",
    "pink rectangle",
    "red sphere",
    "red square",
    "triangle",
    "yellow square",
)
# A direction is an index; the opposite direction is the index plus 2, modulo 4.
_COMPASS = ("north", "east", "south", "west")
_SIDES = ("above", "to the right of", "below", "to the left of")
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
_POSITION_QUESTIONS = 8
_DEAD_ENDS = 3


def two_arg_relations(draw: random.Random) -> Story:
    """Generate a story of subtask 4: three places in a row; the question asks for a neighbor."""
    end, middle, other_end = draw.sample(_PLACES, 3)
    row = _Map()
    direction = draw.randrange(4)
    row.join(middle, direction, end)
    row.join(middle, _opposite(direction), other_end)
    told = list(row.told(draw))
    line = draw.randrange(len(told))
    place, towards, other = told[line]
    if draw.random() < 0.5:
        text = f"What is {_COMPASS[_opposite(towards)]} of the {other}?"
    else:
        text = f"What is the {other} {_COMPASS[towards]} of?"
    return Story((*map(_compass_statement, told), Question(text, place, (line + 1,))))


def positional_reasoning(draw: random.Random) -> Story:
    """Generate a story of subtask 17: two shapes beside a third, and their relative position."""
    middle, *pair = draw.sample(_SHAPES, 3)
    directions = draw.sample(range(4), 2)
    shapes = _Map()
    for shape, direction in zip(pair, directions, strict=True):
        shapes.join(middle, direction, shape)
    statements, line_of = [], {}
    for shape, towards, other in shapes.told(draw):
        statements.append(Statement(f"The {other} is {_SIDES[towards]} the {shape}."))
        line_of[shape if other == middle else other] = len(statements)
    where = dict(zip(pair, (_STEPS[direction] for direction in directions), strict=True))
    questions = []
    for _ in range(_POSITION_QUESTIONS):
        one, other = draw.sample(pair, 2)
        answer = draw.choice(("yes", "no"))
        side = draw.choice(_sides(where[one], where[other], answer == "yes"))
        text = f"Is the {one} {_SIDES[side]} the {other}?"
        questions.append(Question(text, answer, (line_of[one], line_of[other])))
    return Story((*statements, *questions))


def path_finding(draw: random.Random) -> Story:
    """Generate a story of subtask 19: a tree of six places; the answer is a path of two steps."""
    start, middle, goal, *dead_ends = draw.sample(_PLACES, 3 + _DEAD_ENDS)
    first, second = draw.randrange(4), draw.randrange(3)
    second += second >= _opposite(first)  # any direction but the way back
    places = _Map()
    places.join(start, first, middle)
    places.join(middle, second, goal)
    for dead_end, (place, direction) in zip(
        dead_ends, draw.sample(places.free(), _DEAD_ENDS), strict=True
    ):
        places.join(place, direction, dead_end)
    told = list(places.told(draw))
    pairs = [{place, other} for place, _, other in told]
    question = Question(
        f"How do you go from the {start} to the {goal}?",
        f"{_COMPASS[first][0]},{_COMPASS[second][0]}",
        (pairs.index({start, middle}) + 1, pairs.index({middle, goal}) + 1),
    )
    return Story((*map(_compass_statement, told), question))


class _Map:
    """Graph of names, with the neighbor of each name by direction."""

    def __init__(self) -> None:
        self._beside: dict[str, dict[int, str]] = {}

    def join(self, one: str, direction: int, other: str) -> None:
        """Connect `other` to `one`, in the given direction as seen from `one`."""
        self._beside.setdefault(one, {})[direction] = other
        self._beside.setdefault(other, {})[_opposite(direction)] = one

    def free(self) -> list[tuple[str, int]]:
        """Return all pairs of a name and a direction without a neighbor."""
        return [
            (name, direction)
            for name, beside in self._beside.items()
            for direction in range(4)
            if direction not in beside
        ]

    def told(self, draw: random.Random) -> Iterator[tuple[str, int, str]]:
        """Yield each pair of neighbors once, as (name, direction of the neighbor, neighbor).

        As in the published stories, a name is drawn first, and then one of its neighbors. The
        leaves of a tree are therefore more likely to come first than its inner nodes.
        """
        beside = [(name, tuple(others.items())) for name, others in self._beside.items()]
        left = sum(len(others) for _, others in beside) // 2
        told: set[tuple[str, str]] = set()
        while left:
            name, others = draw.choice(beside)
            direction, other = draw.choice(others)
            if (name, other) not in told:
                told |= {(name, other), (other, name)}
                left -= 1
                yield name, direction, other


def _opposite(direction: int) -> int:
    return (direction + 2) % 4


def _compass_statement(told: tuple[str, int, str]) -> Statement:
    place, towards, other = told
    return Statement(f"The {place} is {_COMPASS[_opposite(towards)]} of the {other}.")


def _sides(one: tuple[int, int], other: tuple[int, int], true: bool) -> list[int]:
    """Return the sides of `other` on which `one` lies, or the remaining sides if not `true`."""
    x, y = one[0] - other[0], one[1] - other[1]
    return [side for side, (dx, dy) in enumerate(_STEPS) if (x * dx + y * dy > 0) == true]


MAKE = {4: two_arg_relations, 17: positional_reasoning, 19: path_finding}
