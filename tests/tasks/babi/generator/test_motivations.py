import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator import motivations
from rumcli.tasks.babi.story import Question, Statement

seeds = st.integers(0, 2**32)


def by_person(story):
    """Return each person's statements."""
    told = {}
    for line in story.lines:
        if isinstance(line, Statement):
            told.setdefault(line.text.split()[0], []).append(line.text)
    return told


@given(seeds)
def test_a_question_about_the_same_person_follows_each_statement(seed):
    story = motivations.agents_motivations(random.Random(seed))
    assert 2 * story.questions == len(story.lines)
    for statement, question in list(pairwise(story.lines))[::2]:
        assert isinstance(question, Question)
        assert f" {statement.text.split()[0].lower()} " in question.text


@given(seeds)
def test_everyone_has_a_state_then_moves_and_one_of_each_state_gets_an_object(seed):
    told = by_person(motivations.agents_motivations(random.Random(seed)))
    assert len(told) == 4
    got = []
    for state, going, *getting in told.values():
        assert " is " in state
        assert " to the " in going
        got += [state.split()[-1]] if getting else []
        assert len(getting) <= 1
    assert sorted(got) == sorted({state.split()[-1] for state, *_ in told.values()})
