import json

import yaml

from tests.cli.commands import assert_one_line, rum

TASKS = """
import numpy as np
from rumcli.tasks.copying.task import Copying
from rumcli.tasks.copying.config import CopyingConfig

class Short(Copying):
    metric = "symbol_accuracy"

    def __init__(self, config, delay=3):
        super().__init__(config)
        self.delay = delay

    @property
    def _task(self):
        return CopyingConfig(delay=self.delay, validation_examples=16, test_examples=16)

class Odd(Short):
    @property
    def summary_fields(self):
        return {"subtask": "north"}

def nothing(config):
    return config
"""
SMALL = ["--cell=gru", "--hidden=8", "--batch-size=8", "--steps=6", "--set=train.eval_every=3"]


def test_custom_task_is_trained_and_resumed(tmp_path):
    (tmp_path / "theirs.py").write_text(TASKS)
    options = [*SMALL, "--set=task.options.delay=2"]
    result = rum("train", "theirs:Short", *options, "--out=run", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["examples"], summary["task"]) == (16, "short")
    found = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["task"]
    assert found == {"name": "custom", "factory": "theirs:Short", "options": {"delay": 2}}
    # To name the code again is as good as to trust it.
    again = ["--resume=run", "theirs:Short", "--steps=9", "--json"]
    result = rum("train", *again, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 9
    result = rum("train", "--resume=run", "--steps=12", cwd=tmp_path)
    assert_one_line(result, 2, "theirs:Short, which can do anything that you can")


def test_usage_errors_are_reported_in_one_line_without_leaving_a_run(tmp_path):
    (tmp_path / "theirs.py").write_text(TASKS)
    for arguments, expected in [
        (["theirs:nothing"], "task theirs:nothing: expected a rumcli.tasks.base.Task, got Run"),
        (["theirs:Short", "--set=task.options.dela=1"], "task theirs:Short(…, dela=1) fails: Type"),
        (["theirs:Odd"], "Odd: subtask: expected an integer, got 'north'"),
        (["theirs:"], "expected a name as in package.module:Class, got 'theirs:'"),
        (["theirs:Short", "--delay=3"], "task 'custom' has no option 'delay'"),
    ]:
        result = rum("train", *arguments, *SMALL, "--out=run", cwd=tmp_path)
        assert_one_line(result, 2, expected)
        assert not (tmp_path / "run").exists()
