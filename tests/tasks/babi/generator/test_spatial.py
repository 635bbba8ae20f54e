import random
import re

from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.generator import spatial
from rumcli.tasks.babi.story import Question

seeds = st.integers(0, 2**32)
STEPS = {"north": (0, 1), "east": (1, 0), "south": (0, -1), "west": (-1, 0)}
COMPASS = re.compile(r"The (\w+) is (north|east|south|west) of the (\w+)\.")


def neighbors(story):
    """Return the steps that the statements give: by place, to each place beside it."""
    beside = {}
    for line in story.lines:
        if found := COMPASS.fullmatch(line.text):
            place, towards, other = found.groups()
            x, y = STEPS[towards]
            beside.setdefault(other, {})[place] = (x, y)
            beside.setdefault(place, {})[other] = (-x, -y)
    return beside


@given(seeds)
def test_two_arguments_have_three_places_in_a_row(seed):
    story = spatial.two_arg_relations(random.Random(seed))
    ends = [others for others in neighbors(story).values() if len(others) == 1]
    (middle,) = [others for others in neighbors(story).values() if len(others) == 2]
    one, other = middle.values()
    assert len(ends) == 2
    assert one == (-other[0], -other[1])


@given(seeds)
def test_six_places_are_connected_with_one_neighbor_per_side(seed):
    beside = neighbors(spatial.path_finding(random.Random(seed)))
    assert len(beside) == 6
    assert sum(len(others) for others in beside.values()) == 10  # a tree's five edges
    for others in beside.values():
        assert len(set(others.values())) == len(others)
    reached = {next(iter(beside))}
    for _ in beside:
        reached |= {other for place in reached for other in beside[place]}
    assert len(reached) == 6


@given(seeds)
def test_a_path_leads_in_two_steps_and_not_back(seed):
    story = spatial.path_finding(random.Random(seed))
    beside, question = neighbors(story), story.lines[-1]
    path = re.fullmatch(r"How do you go from the (\w+) to the (\w+)\?", question.text)
    start, goal = path.groups()
    place = start
    for letter in question.answer.split(","):
        step = next(step for name, step in STEPS.items() if name[0] == letter)
        (place,) = [other for other, way in beside[place].items() if way == step]
    assert place == goal != start


@given(seeds)
def test_questions_compare_shapes_that_no_statement_compares(seed):
    story = spatial.positional_reasoning(random.Random(seed))
    pattern = (
        r"(?:The|Is the) (.+?) (?:is )?(?:to the left of|to the right of|above|below) the (.+)"
    )
    pairs = {True: set(), False: set()}
    for line in story.lines:
        names = re.fullmatch(pattern, line.text[:-1]).groups()
        pairs[isinstance(line, Question)].add(frozenset(names))
    one, other = pairs[False]
    assert pairs[True] == {one ^ other}
    assert story.questions == 8
