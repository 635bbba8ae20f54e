import json

import pytest

from rumcli.errors import ConfigError
from rumcli.signals import StopRequest
from rumcli.training import suite
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from tests import small
from tests.documents import validator

RUN = small.run_config("babi", settings=["task.subtask=all"])


@pytest.mark.parametrize("content", [[], None, {}, {"steps": RUN.train.steps}], ids=str)
def test_a_subtask_whose_summary_is_damaged_is_not_finished(tmp_path, content):
    (tmp_path / "qa1").mkdir()
    (tmp_path / "qa1" / "summary.json").write_text(json.dumps(content))
    assert suite._finished(RUN, RunDir(tmp_path), RUN.task.subtasks[0]) is None


def test_linked_subtask_directory_is_rejected(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run_dir = RunDir(tmp_path / "run")
    run_dir.path.mkdir()
    (run_dir.path / "qa1").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="qa1 is a link"):
        suite.train_all(RUN, run_dir, lambda subtask: Listener(), StopRequest())
    assert list(elsewhere.iterdir()) == []


def test_summary_of_all_subtasks_matches_its_schema(tmp_path):
    one = {
        "accuracy": 0.96,
        "standard_error": 0.02,
        "loss": 0.1,
        "questions": 10,
        "weights_of_step": 4,
        "steps": 8,
        "seconds": 1.5,
        "data": "generated",
        "split": "test",
        "baseline": {"value": 0.2},
    }
    summaries = [one, *[{**one, "accuracy": 0.5}] * 19]
    found = suite.summarize(RUN, RunDir(tmp_path), summaries)
    assert [error.message for error in validator("train-all").iter_errors(found)] == []
    assert (found["passed"], found["seconds"]) == (1, 30.0)
    assert found["mean_accuracy"] == pytest.approx(0.523)
    assert found["standard_error"] == pytest.approx(0.02 / 20**0.5)
