from hypothesis import given
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question


@given(
    subtask=st.sampled_from(sorted(story_generator.FAMILIES)),
    split=st.sampled_from(SPLITS),
    seed=st.integers(0, 2**32 - 1),
    questions=st.integers(0, 30),
)
def test_generated_files_have_exactly_the_requested_questions(subtask, split, seed, questions):
    exact = list(story_generator.generate(subtask, seed, split, questions))
    whole = list(story_generator.stories(subtask, seed, split, questions))
    assert sum(story.questions for story in exact) == questions
    assert exact[:-1] == whole[:-1]
    if exact:
        last = exact[-1].lines
        assert last == whole[-1].lines[: len(last)]
        assert isinstance(last[-1], Question)


def test_files_have_the_published_names():
    assert babi_stories.subtask_file_name(5, "train") == "qa5_three-arg-relations_train.txt"
    assert babi_stories.subtask_file_name(19, "validation") == "qa19_path-finding_valid.txt"
