import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator import deduction_and_induction
from rumcli.tasks.babi.story import Statement

seeds = st.integers(0, 2**32)
COLORS = {"gray", "green", "white", "yellow"}
SINGULAR = {"mice": "mouse", "cats": "cat", "sheep": "sheep", "wolves": "wolf"}


def facts(story, pattern):
    """Return the groups of each statement that matches the pattern, with its line."""
    return [
        (*found.groups(), number)
        for number, line in enumerate(story.lines, 1)
        if isinstance(line, Statement) and (found := re.fullmatch(pattern, line.text))
    ]


@given(seeds)
def test_every_species_fears_one_other_and_is_introduced_first(seed):
    story = deduction_and_induction.basic_deduction(random.Random(seed))
    fears = facts(story, r"(\w+) are afraid of (\w+)\.")
    people = facts(story, r"(\w+) is a (\w+)\.")
    assert sorted(SINGULAR[kind.lower()] for kind, _, _ in fears) == sorted(SINGULAR.values())
    assert all(kind.lower() != feared for kind, feared, _ in fears)
    assert len({name for name, _, _ in people}) == 4
    said = {SINGULAR[kind.lower()]: line for kind, _, line in fears}
    assert all(said[kind] < line for _, kind, line in people)


@given(seeds)
def test_everyone_has_a_species_and_all_but_the_questioned_one_a_color(seed):
    story = deduction_and_induction.basic_induction(random.Random(seed))
    *statements, question = story.lines
    assert len(statements) == 9
    kind_line = {name: line for name, _, line in facts(story, r"(\w+) is a (\w+)\.")}
    colors = facts(story, r"(\w+) is (\w+)\.")
    asked = question.text.removeprefix("What color is ").removesuffix("?")
    assert {color for _, color, _ in colors} <= COLORS
    assert {name for name, _, _ in colors} == set(kind_line) - {asked}
    assert all(kind_line[name] < line for name, _, line in colors)


@given(seeds)
def test_questioned_one_shares_its_species_with_one_three_or_four(seed):
    story = deduction_and_induction.basic_induction(random.Random(seed))
    kind_of = {name: kind for name, kind, _ in facts(story, r"(\w+) is a (\w+)\.")}
    asked = story.lines[-1].text.removeprefix("What color is ").removesuffix("?")
    assert Counter(kind_of.values())[kind_of[asked]] - 1 in (1, 3, 4)


def test_members_of_one_species_have_the_same_color():
    # Given pairs of a kind, neither of them asked for, in many stories
    agreeing = Counter()
    for seed in range(3000):
        story = deduction_and_induction.basic_induction(random.Random(seed))
        kind_of = {name: (kind, line) for name, kind, line in facts(story, r"(\w+) is a (\w+)\.")}
        members = Counter(kind for kind, _ in kind_of.values())
        colored = facts(story, r"(\w+) is (\w+)\.")
        for one, color, first in colored:
            for other, other_color, second in colored:
                same = kind_of[one][0] == kind_of[other][0]
                if same and first < second and members[kind_of[one][0]] == 2:
                    agreeing[kind_of[other][1] < first, color == other_color] += 1
    # Then they agree if both kinds were said before the first color, else by chance, ¼; there are
    # some 700 such pairs: standard deviation 1.6 points
    assert agreeing[True, False] == 0
    assert agreeing[True, True] > 500
    share = agreeing[False, True] / (agreeing[False, True] + agreeing[False, False])
    assert abs(share - 0.25) < 0.08
