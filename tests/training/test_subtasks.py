import json

import pytest

from rumcli.errors import ConfigError
from rumcli.training import subtasks
from rumcli.training.listener import Listener
from rumcli.training.run_folder import RunFolder
from rumcli.training.stopping import StopRequest
from tests import small

RUN = small.run_config("babi", settings=["task.subtask=all"])


@pytest.mark.parametrize("content", [[], None, {}, {"steps": RUN.train.steps}], ids=str)
def test_a_subtask_whose_summary_is_damaged_is_not_finished(tmp_path, content):
    (tmp_path / "qa1").mkdir()
    (tmp_path / "qa1" / "summary.json").write_text(json.dumps(content))
    assert subtasks._finished(RUN, RunFolder(tmp_path), 1) is None


def test_a_subtask_in_a_folder_elsewhere_is_told(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / "qa1").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="qa1 is a link"):
        subtasks.train_all(RUN, folder, lambda number: Listener(), StopRequest())
    assert list(elsewhere.iterdir()) == []
