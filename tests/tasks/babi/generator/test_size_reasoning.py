import random
import re

from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator import size_reasoning
from rumcli.tasks.babi.story import Question, Statement

seeds = st.integers(0, 2**32)


def bigger_and_smaller(line):
    """Return the two things of a statement."""
    if found := re.fullmatch(r"The (.+) is bigger than the (.+)\.", line.text):
        return found[1], found[2]
    found = re.fullmatch(r"The (.+) fits inside the (.+)\.", line.text)
    return found[2], found[1]


@given(seeds)
def test_statements_agree_on_one_order_in_which_chocolate_is_smallest(seed):
    story = size_reasoning.size_reasoning(random.Random(seed))
    pairs = {bigger_and_smaller(line) for line in story.lines if isinstance(line, Statement)}
    left = {"chocolate", "box of chocolates"} | {thing for pair in pairs for thing in pair}
    while left:
        smallest = {thing for thing in left if not any(big == thing for big, _ in pairs)}
        assert smallest, "no thing is smaller than all others"
        if "box of chocolates" not in left:
            assert "chocolate" not in left
        left -= smallest
        pairs = {pair for pair in pairs if pair[1] not in smallest}
    assert all(big != "chocolate" for big, _ in pairs)


@given(seeds)
def test_rounds_of_five_statements_are_followed_by_questions_up_to_five(seed):
    story = size_reasoning.size_reasoning(random.Random(seed))
    kinds = "".join("q" if isinstance(line, Question) else "s" for line in story.lines)
    assert re.fullmatch(r"(s{5}q{0,4})*s{5}q{5}", kinds)


@given(seeds)
def test_earlier_supporting_line_is_the_first_about_the_middle_object(seed):
    story = size_reasoning.size_reasoning(random.Random(seed))
    for line in story.lines:
        if isinstance(line, Question):
            one, other = (set(bigger_and_smaller(story.lines[n - 1])) for n in line.supporting)
            (between,) = one & other
            first = next(
                n
                for n, each in enumerate(story.lines, 1)
                if isinstance(each, Statement) and between in bigger_and_smaller(each)
            )
            assert min(line.supporting) == first
