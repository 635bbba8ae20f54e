import pytest

from rumcli.tasks.babi.config import SUBTASKS
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question, Statement, Story
from tests.tasks.babi import measures, official

# 5,000 questions: the standard deviation of a share is at most √(1/4/5,000) = 0.7 points. The
# questions of a story are alike, so that in some subtasks it is up to twice that.
QUESTIONS = 5000
SHOWN = 12

generated = pytest.mark.parametrize("subtask", sorted(story_generator.FAMILIES))


def assert_alike(ours, published, subtask):
    found = measures.differences(ours, published)
    worst = [difference for difference in found if difference.size > 1][:SHOWN]
    assert not worst, "\n".join(
        [f"subtask {subtask}: differences, 1 is tolerated", *(f"  {each}" for each in worst)]
    )


@generated
def test_generated_stories_are_distributed_as_the_published_ones(subtask):
    published = measures.published(subtask)
    ours = measures.measure(story_generator.stories(subtask, 1, "train", QUESTIONS), subtask)
    assert_alike(ours, published, subtask)
    assert sorted(ours.words - published.words) == []


@pytest.mark.slow
@pytest.mark.parametrize("subtask", SUBTASKS)
def test_published_files_differ_by_less_than_the_tolerance(subtask):
    small = [official.published_stories("en", subtask, split) for split in ("train", "test")]
    if ("en-10k", subtask, "train") in official.MISSING:
        one, other = small
    else:
        one, other = [*small[0], *small[1]], official.published_stories("en-10k", subtask, "train")
    assert_alike(measures.measure(one, subtask), measures.measure(other, subtask), subtask)


@pytest.mark.parametrize(
    ("subtask", "text", "expected"),
    [
        (5, "Fred passed the milk to Bill.", "{person} passed the {object} to {person}."),
        (10, "Is Julie in the park?", "Is {person} in the {place}?"),
        (15, "Mice are afraid of wolves.", "{animal} are afraid of {animal}."),
        (17, "The square is above the red square.", "The {shape} is above the {shape}."),
        (18, "The box of chocolates fits inside the box.", "The {thing} fits inside the {thing}."),
        (19, "The office is east of the kitchen.", "The {place} is {dir} of the {place}."),
        (20, "Why did yann go to the garden?", "Why did {person} go to the {place}?"),
    ],
)
def test_templates_have_slots_for_variable_words(subtask, text, expected):
    assert measures.template_of(text, subtask) == expected


def of_answers(*answers):
    lines = [Statement("Mary went to the park."), *(Question("Is it?", a, (1,)) for a in answers)]
    return measures.measure([Story(tuple(lines))] * 100, 6)


def worst_answer(ours, published):
    found = measures.differences(ours, published)
    return next(each for each in found if each.what.startswith("% answer"))


def test_difference_above_the_tolerance_is_detected():
    published = of_answers(*["yes"] * 10, *["no"] * 10)
    assert all(each.size == 0 for each in measures.differences(published, published))
    near = of_answers(*["yes"] * 21, *["no"] * 19)  # 52.5 %: half of the tolerance
    assert worst_answer(near, published).size == pytest.approx(0.5)
    with pytest.raises(AssertionError, match=r"subtask 6: differences.*\n.*% answer: yes"):
        assert_alike(of_answers("yes", "yes", "no"), of_answers("yes", "no", "no"), 6)
