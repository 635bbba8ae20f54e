"""Animals and their kinds: what a kind fears (deduction, 15), what color one has (induction, 16).

The order of the statements and the agreement of colors are as in the published files.
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
# The published files ask for none who has just two fellows of the same kind.
_FELLOWS = (1, 3, 4)


def basic_deduction(draw: random.Random) -> Story:
    """Make a story of subtask 15: what each kind fears, who is of which, and what one fears."""
    kinds, people = draw.sample(list(_PLURALS), 4), draw.sample(_FEARFUL, 4)
    statements: list[Statement] = []
    # By kind: what it fears, and the line that says so. By person: the kind and the line.
    fears: dict[str, tuple[str, int]] = {}
    kind_of: dict[str, tuple[str, int]] = {}
    while kinds or people:
        if draw.randrange(len(kinds) + len(people)) < len(kinds):
            kind = kinds.pop()
            feared = draw.choice([other for other in _PLURALS if other != kind])
            text = f"{_PLURALS[kind].capitalize()} are afraid of {_PLURALS[feared]}."
            statements.append(Statement(text))
            fears[kind] = feared, len(statements)
        elif (kind := draw.choice(tuple(_PLURALS))) in fears:  # else what is next is drawn again
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
    """Make a story of subtask 16: kinds and colors of five, but the color of one, who is asked.

    The answer is the color of the one of the same kind; of several, of whose kind was said last.
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
            # Those who are known to be of a kind when one of them is said to have a color share
            # it, unless there comes another in between.
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
    """Return who is spoken of in each statement, and of whom only once.

    The first time it is the kind, the second time the color. One of those of whom not all has
    been said is drawn each time, until all but one statement is made.
    """
    left, order = list(_COLORED), []
    while len(order) < 2 * len(_COLORED) - 1:
        person = draw.choice(left)
        if person in order:
            left.remove(person)
        order.append(person)
    return order, left[0]


def _kinds_with_fellows(draw: random.Random, asked: str) -> dict[str, str]:
    """Draw kinds, until there are as many of the asked one's kind as may be."""
    while True:
        kind_of = dict(zip(_COLORED, draw.choices(_KINDS, k=len(_COLORED)), strict=True))
        if list(kind_of.values()).count(kind_of[asked]) - 1 in _FELLOWS:
            return kind_of


MAKE = {15: basic_deduction, 16: basic_induction}
