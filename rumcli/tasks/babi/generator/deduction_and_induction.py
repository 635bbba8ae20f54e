"""Animals and kinds: fears of a kind (deduction, 15) and color of an animal (induction, 16).

The order of the statements and the agreement of colors follow the published files.
"""

from __future__ import annotations

import random

from rumcli.tasks.babi.story import Question, Statement, Story

_FEARFUL = ("Gertrude", "Winona", "Jessica", "Emily")
_PLURALS = {"mouse": "mice", "cat": "cats", "sheep": "sheep", "wolf": "wolves"}
_FEARS_QUESTIONS = 4

_COLORED = ("Lily", "Bernhard", "Brian", "Julius", "Greg")
_KINDS = ("frog", "lion", "rhino", "swan")
_COLORS = ("gray", "green", "white", "yellow")
# Animals of the same kind as the one in question; never two in the published files.
_FELLOWS = (1, 3, 4)


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
    order, asked = _introductions(draw)
    kind_of = _kinds_with_fellows(draw, asked)
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
    fellow = [p for p in kind_line if p != asked and kind_of[p] == kind_of[asked]][-1]
    color, line = colored[fellow]
    supporting = (kind_line[asked], kind_line[fellow], line)
    return Story((*statements, Question(f"What color is {asked}?", color, supporting)))


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


def _kinds_with_fellows(draw: random.Random, asked: str) -> dict[str, str]:
    """Draw kinds until the number of animals of the same kind as `asked` is in `_FELLOWS`."""
    while True:
        kind_of = dict(zip(_COLORED, draw.choices(_KINDS, k=len(_COLORED)), strict=True))
        if list(kind_of.values()).count(kind_of[asked]) - 1 in _FELLOWS:
            return kind_of


MAKE = {15: basic_deduction, 16: basic_induction}
