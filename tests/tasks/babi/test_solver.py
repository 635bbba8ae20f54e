import pytest

from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.config import SUBTASKS
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question
from tests.data.babi.solver import SOLVERS
from tests.tasks.babi import official
from tests.tasks.babi.solver.text import NotUnderstoodError

QUESTIONS = 2000
MANY_QUESTIONS = 20_000

# Where the published answer is not what the text says: file, story from 0, line in the story. All
# are "What did X give to Y?" with the last but one of two different things that X gave to Y.
WRONG = {
    ("en", 5, "train"): [(7, 14), (7, 17)],
    ("en", 5, "test"): [(62, 27), (185, 22)],
    ("en-10k", 5, "train"): [
        (7, 14),
        (7, 17),
        (208, 17),
        (344, 23),
        (385, 43),
        (528, 36),
        (533, 29),
        (560, 29),
        (597, 35),
        (606, 37),
        (693, 24),
        (1030, 26),
        (1078, 27),
        (1195, 43),
        (1324, 23),
        (1422, 35),
        (1445, 31),
        (1508, 15),
        (1908, 13),
        (1985, 28),
    ],
}

# Of our own making: text without numbers and supporting lines, then answers with the latter.
STORIES = [
    (
        9,
        "John is in the office. Mary moved to the kitchen. Is John in the office? "
        "John is no longer in the office. Is John in the office? Is Mary in the garden?",
        [("yes", (1,)), ("no", (4,)), ("no", (2,))],
    ),
    (
        10,
        "Bill is either in the park or the school. Fred went to the cinema. Is Bill in the park? "
        "Is Bill in the office? Is Fred in the cinema?",
        [("maybe", (1,)), ("no", (1,)), ("yes", (2,))],
    ),
    (
        13,
        "Mary and John went back to the garden. Then they moved to the hallway. "
        "Where is John? Daniel and John went to the office. Where is Mary? Where is John?",
        [("hallway", (1, 2)), ("hallway", (1, 2)), ("office", (4,))],
    ),
    (
        2,
        "John went to the hallway. John got the milk there. Where is the milk? "
        "John moved to the office. Where is the milk? John dropped the milk. "
        "John moved to the garden. Where is the milk?",
        [("hallway", (2, 1)), ("office", (2, 4)), ("office", (6, 4))],
    ),
    (
        3,
        "Mary took the apple. Mary went to the office. Mary moved to the kitchen. "
        "Where was the apple before the kitchen? Mary left the apple. Mary moved to the garden. "
        "Where was the apple before the kitchen?",
        [("office", (1, 3, 2)), ("office", (5, 3, 2))],
    ),
    (
        5,
        "Bill got the milk there. Bill handed the milk to Jeff. Jeff passed the milk to Fred. "
        "What did Bill give to Jeff? Who gave the milk to Jeff? Who gave the milk? "
        "Who received the milk? Who did Bill give the milk to?",
        [("milk", (2,)), ("Bill", (2,)), ("Jeff", (3,)), ("Fred", (3,)), ("Jeff", (2,))],
    ),
    (
        7,
        "Mary got the milk there. John took the apple there. Mary passed the milk to John. "
        "How many objects is John carrying? How many objects is Mary carrying?",
        [("two", (2, 3)), ("none", (1, 3))],
    ),
    (
        8,
        "Mary got the milk there. Mary took the apple there. Mary dropped the milk. "
        "What is Mary carrying? Mary got the milk there. What is Mary carrying?",
        [("apple", (1, 3, 2)), ("milk,apple", (1, 3, 5, 2))],
    ),
    (
        14,
        "This evening Julie went to the park. Julie moved to the cinema yesterday. "
        "Julie went to the school this afternoon. Where was Julie before the park?",
        [("school", (1, 3))],
    ),
    (
        15,
        "Mice are afraid of cats. Emily is a mouse. What is emily afraid of?",
        [("cat", (2, 1))],
    ),
    (
        16,
        "Lily is a frog. Greg is a frog. Lily is green. Brian is a frog. Brian is gray. "
        "What color is Greg?",
        [("gray", (2, 4, 5))],
    ),
    (
        4,
        "The office is north of the kitchen. The park is north of the office. "
        "What is south of the office? What is the park north of?",
        [("kitchen", (1,)), ("office", (2,))],
    ),
    (
        17,
        "The square is above the red square. The red square is to the left of the circle. "
        "Is the circle below the square? Is the square to the right of the circle?",
        [("yes", (2, 1)), ("no", (1, 2))],
    ),
    (
        18,
        "The box is bigger than the chest. The chocolate fits inside the chest. "
        "Does the chocolate fit in the box? Is the chocolate bigger than the box?",
        [("yes", (1, 2)), ("no", (2, 1))],
    ),
    (
        19,
        "The office is east of the garden. The office is south of the kitchen. "
        "How do you go from the garden to the kitchen?",
        [("e,n", (1, 2))],
    ),
    (
        20,
        "Yann is bored. Where will yann go? Yann moved to the garden. "
        "Why did yann go to the garden?",
        [("garden", (1,)), ("bored", (1,))],
    ),
]


def is_right(question, found):
    answer, *supporting = found
    return answer == question.answer and question.supporting in supporting


def wrong_ones(stories, subtask):
    """Return the number of the story and of the line for each question that we answer otherwise."""
    wrong = []
    for number, story in enumerate(stories):
        asked = [(n, line) for n, line in enumerate(story.lines, 1) if isinstance(line, Question)]
        for (line, question), found in zip(asked, SOLVERS[subtask](story), strict=True):
            if not is_right(question, found):
                wrong.append((number, line))
    return wrong


def as_story(text, answers):
    """Make a story of sentences and of the answers to its questions."""
    ends = text.replace("? ", "?|").replace(". ", ".|").split("|")
    rest = iter(answers)
    lines = []
    for number, sentence in enumerate(ends, 1):
        lines.append(f"{number} {sentence}")
        if sentence.endswith("?"):
            answer, supporting = next(rest)
            lines[-1] += f"\t{answer}\t{' '.join(map(str, supporting))}"
    (story,) = babi_stories.parse_stories("\n".join(lines).encode(), "a story of ours")
    return story


@pytest.mark.parametrize(("subtask", "text", "answers"), STORIES)
def test_solver_answers_known_stories(subtask, text, answers):
    assert wrong_ones([as_story(text, answers)], subtask) == []


@pytest.mark.parametrize(("subtask", "text", "answers"), STORIES)
def test_wrong_answer_or_supporting_line_is_detected(subtask, text, answers):
    answer, supporting = answers[0]
    others = [("else", supporting), (answer, (*supporting, 1))]
    for other in others:
        story = as_story(text, [other, *answers[1:]])
        assert len(wrong_ones([story], subtask)) == 1


@pytest.mark.parametrize(
    ("subtask", "text"),
    [
        (1, "Mary jumped to the kitchen. Where is Mary?"),
        (9, "Mary is not in the kitchen. Is Mary in the garden?"),
        (3, "Mary went to the kitchen. Mary got the milk. Where was the milk before the kitchen?"),
        (18, "The box is bigger than the chest. Is the box bigger than the chest?"),
    ],
)
def test_unanswerable_question_is_not_answered(subtask, text):
    story = as_story(text, [("yes", (1,))])
    with pytest.raises(NotUnderstoodError):
        list(SOLVERS[subtask](story))


@pytest.mark.parametrize(
    ("language", "subtask", "split"),
    [*official.SMALL, *(pytest.param(*key, marks=pytest.mark.slow) for key in official.LARGE)],
)
def test_the_published_answers_follow_from_the_text(language, subtask, split):
    stories = official.published_stories(language, subtask, split)
    assert wrong_ones(stories, subtask) == WRONG.get((language, subtask, split), [])


@pytest.mark.parametrize("subtask", sorted(story_generator.FAMILIES))
@pytest.mark.parametrize(
    "questions", [QUESTIONS, pytest.param(MANY_QUESTIONS, marks=pytest.mark.slow)]
)
def test_generated_answers_follow_from_the_text(subtask, questions):
    stories = story_generator.stories(subtask, 3, "test", questions)
    assert wrong_ones(stories, subtask) == []


def test_every_subtask_has_a_solver():
    assert list(SOLVERS) == list(SUBTASKS)
