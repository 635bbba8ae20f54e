"""Stories without a simulated world: animals, sizes, motivations and positions.

Fears of a kind (deduction, 15) and color of an animal (induction, 16): the order of the statements
and the agreement of colors follow the published files. Size reasoning (18): boxes and the objects
that fit inside. Agents' motivations (20): a state explains where people go and which object they
get.

Places and shapes on a grid: two-arg-relations (4), positional reasoning (17), path finding (19). A
story states the relative position of neighbors, pair by pair. Only stated pairs are connected: in
path finding, two unconnected places may share the same grid position.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rumcli.tasks.babi.stories import Line, Question, Statement, Story

_FEARFUL = ("Gertrude", "Winona", "Jessica", "Emily")
_PLURALS = {"mouse": "mice", "cat": "cats", "sheep": "sheep", "wolf": "wolves"}
_FEARS_QUESTIONS = 4
_COLORED = ("Lily", "Bernhard", "Brian", "Julius", "Greg")
_KINDS = ("frog", "lion", "rhino", "swan")
_COLORS = ("gray", "green", "white", "yellow")
# Animals of the same kind as the one in question; never two in the published files.
_FELLOWS = (1, 3, 4)

_SMALLEST = ("chocolate", "box of chocolates")
_CONTAINERS = ("box", "chest", "container", "suitcase")
_ROUND = 5  # statements, followed by as many questions
# Chosen to match how often a round of the published files has fewer than five questions: in 2 %
# of the rounds after 5 statements with a single possible question, in 40 % of those after 10.
_ATTEMPTS = 100

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


def basic_deduction(draw: random.Random) -> Story:
    """Generate a story of subtask 15: fears of each kind, kinds of people, fears of a person."""
    kinds, people = draw.sample(list(_PLURALS), 4), draw.sample(_FEARFUL, 4)
    statements: list[Statement] = []
    # fears[kind] = (feared kind, line number); kind_of[person] = (kind, line number)
    fears: dict[str, tuple[str, int]] = {}
    kind_of: dict[str, tuple[str, int]] = {}
    while kinds or people:
        if draw.randrange(len(kinds) + len(people)) < len(kinds):
            kind = kinds.pop()
            feared = draw.choice([other for other in _PLURALS if other != kind])
            text = f"{_PLURALS[kind].capitalize()} are afraid of {_PLURALS[feared]}."
            statements.append(Statement(text))
            fears[kind] = feared, len(statements)
        elif (kind := draw.choice(tuple(_PLURALS))) in fears:  # otherwise, draw again
            person = people.pop()
            statements.append(Statement(f"{person} is a {kind}."))
            kind_of[person] = kind, len(statements)
    questions = []
    for person in draw.choices(_FEARFUL, k=_FEARS_QUESTIONS):
        kind, line = kind_of[person]
        feared, reason = fears[kind]
        text = f"What is {person.lower()} afraid of?"
        questions.append(Question(text, feared, (line, reason)))
    return Story((*statements, *questions))


def basic_induction(draw: random.Random) -> Story:
    """Generate a story of subtask 16: kinds and colors of five animals; one color is missing.

    The question asks for the missing color. The answer is the color of the animal of the same
    kind. If there are several, it is the color of the one whose kind is stated last.
    """
    order, animal = _introductions(draw)
    kind_of = _kinds_with_fellows(draw, animal)
    statements: list[Statement] = []
    kind_line: dict[str, int] = {}
    colored: dict[str, tuple[str, int]] = {}
    shared: dict[str, str] = {}
    for person in order:
        kind = kind_of[person]
        if person not in kind_line:
            statements.append(Statement(f"{person} is a {kind}."))
            kind_line[person] = len(statements)
            # Animals share a color if their kinds are known when the first color is stated. The
            # group ends as soon as another animal of that kind is introduced.
            shared.pop(kind, None)
        else:
            color = shared.setdefault(kind, draw.choice(_COLORS))
            statements.append(Statement(f"{person} is {color}."))
            colored[person] = color, len(statements)
    fellow = [p for p in kind_line if p != animal and kind_of[p] == kind_of[animal]][-1]
    color, line = colored[fellow]
    supporting = (kind_line[animal], kind_line[fellow], line)
    return Story((*statements, Question(f"What color is {animal}?", color, supporting)))


def _introductions(draw: random.Random) -> tuple[list[str], str]:
    """Return the subject of each statement, and the animal with a single statement.

    The first statement about an animal states its kind, the second one its color. Each draw is
    among the animals with statements left, until only one statement remains.
    """
    left = list(_COLORED)
    order: list[str] = []
    while len(order) < 2 * len(_COLORED) - 1:
        person = draw.choice(left)
        if person in order:
            left.remove(person)
        order.append(person)
    return order, left[0]


def _kinds_with_fellows(draw: random.Random, animal: str) -> dict[str, str]:
    """Draw kinds until the number of animals of the same kind as `animal` is in `_FELLOWS`."""
    while True:
        kind_of = dict(zip(_COLORED, draw.choices(_KINDS, k=len(_COLORED)), strict=True))
        if list(kind_of.values()).count(kind_of[animal]) - 1 in _FELLOWS:
            return kind_of


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
    num_questions = 0
    while num_questions < _ROUND:
        for _ in range(_ROUND):
            smaller, bigger = sorted(draw.sample(range(len(ascending)), 2))
            comparison = _Comparison(ascending[bigger], ascending[smaller], len(lines) + 1)
            lines.append(_statement(draw, comparison))
            comparisons.append(comparison)
        questions = _questions(draw, _steps(comparisons), 2 * len(comparisons))
        lines += questions
        num_questions = len(questions)
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


def two_arg_relations(draw: random.Random) -> Story:
    """Generate a story of subtask 4: three places in a row; the question asks for a neighbor."""
    end, middle, other_end = draw.sample(_PLACES, 3)
    row = _Map()
    direction = draw.randrange(4)
    row.connect(middle, direction, end)
    row.connect(middle, _opposite(direction), other_end)
    stated = list(row.pairs(draw))
    line = draw.randrange(len(stated))
    place, towards, other = stated[line]
    if draw.random() < 0.5:
        text = f"What is {_COMPASS[_opposite(towards)]} of the {other}?"
    else:
        text = f"What is the {other} {_COMPASS[towards]} of?"
    return Story((*map(_compass_statement, stated), Question(text, place, (line + 1,))))


def positional_reasoning(draw: random.Random) -> Story:
    """Generate a story of subtask 17: two shapes next to a third, and their relative position."""
    middle, *pair = draw.sample(_SHAPES, 3)
    directions = draw.sample(range(4), 2)
    shapes = _Map()
    for shape, direction in zip(pair, directions, strict=True):
        shapes.connect(middle, direction, shape)
    statements, line_of = [], {}
    for shape, towards, other in shapes.pairs(draw):
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
    places.connect(start, first, middle)
    places.connect(middle, second, goal)
    for dead_end, (place, direction) in zip(
        dead_ends, draw.sample(places.free(), _DEAD_ENDS), strict=True
    ):
        places.connect(place, direction, dead_end)
    stated = list(places.pairs(draw))
    pairs = [{place, other} for place, _, other in stated]
    question = Question(
        f"How do you go from the {start} to the {goal}?",
        f"{_COMPASS[first][0]},{_COMPASS[second][0]}",
        (pairs.index({start, middle}) + 1, pairs.index({middle, goal}) + 1),
    )
    return Story((*map(_compass_statement, stated), question))


class _Map:
    """Graph of names, with the neighbor of each name by direction."""

    def __init__(self) -> None:
        self._neighbors: dict[str, dict[int, str]] = {}

    def connect(self, one: str, direction: int, other: str) -> None:
        """Connect `other` to `one`, in the given direction as seen from `one`."""
        self._neighbors.setdefault(one, {})[direction] = other
        self._neighbors.setdefault(other, {})[_opposite(direction)] = one

    def free(self) -> list[tuple[str, int]]:
        """Return all pairs of a name and a direction without a neighbor."""
        return [
            (name, direction)
            for name, neighbors in self._neighbors.items()
            for direction in range(4)
            if direction not in neighbors
        ]

    def pairs(self, draw: random.Random) -> Iterator[tuple[str, int, str]]:
        """Yield each pair of neighbors once, as (name, direction of the neighbor, neighbor).

        As in the published stories, a name is drawn first, and then one of its neighbors. The
        leaves of a tree are therefore more likely to come first than its inner nodes.
        """
        neighbors = [(name, tuple(others.items())) for name, others in self._neighbors.items()]
        left = sum(len(others) for _, others in neighbors) // 2
        stated: set[tuple[str, str]] = set()
        while left:
            name, others = draw.choice(neighbors)
            direction, other = draw.choice(others)
            if (name, other) not in stated:
                stated |= {(name, other), (other, name)}
                left -= 1
                yield name, direction, other


def _opposite(direction: int) -> int:
    return (direction + 2) % 4


def _compass_statement(stated: tuple[str, int, str]) -> Statement:
    place, towards, other = stated
    return Statement(f"The {place} is {_COMPASS[_opposite(towards)]} of the {other}.")


def _sides(one: tuple[int, int], other: tuple[int, int], true: bool) -> list[int]:
    """Return the sides of `other` on which `one` lies, or the remaining sides if not `true`."""
    x, y = one[0] - other[0], one[1] - other[1]
    return [side for side, (dx, dy) in enumerate(_STEPS) if (x * dx + y * dy > 0) == true]
