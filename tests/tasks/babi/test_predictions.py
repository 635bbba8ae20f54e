import numpy as np
import pytest

from rumcli.config import Split
from rumcli.tasks.babi import predictions
from rumcli.training.evaluation import evaluate
from tests import small


@pytest.mark.parametrize("level", [pytest.param("words", marks=pytest.mark.slow), "sentences"])
def test_every_question_has_the_evaluated_prediction(level):
    task = small.task(small.run_config("babi", settings=[f"task.input_level={level}"]))
    model = task.model()
    answered = predictions.answer(task, model, Split.TEST)
    assert [one.asked for one in answered] == list(task.stories.questions[Split.TEST])
    right = np.mean([one.answer == one.asked.answer for one in answered])
    assert right == pytest.approx(evaluate(task, model, Split.TEST)["accuracy"])
    assert all(0 < one.probability <= 1 for one in answered)
    rows = predictions.confusion(answered)
    assert sum(row["questions"] for row in rows) == len(answered)
    looks = predictions.examples(answered, 1)[0]["story"][0]["attention"]
    assert (looks is None) == (level == "words")
