"""The process of a run, without TensorFlow: how it ends when something is wrong."""

import time
from multiprocessing.connection import wait

import pytest

from rumcli.reproduction import child
from rumcli.reproduction.child import Child, Ended
from rumcli.reproduction.folder import FAILED
from rumcli.sweeps.results import UNFINISHED
from rumcli.sweeps.worker import End
from rumcli.training.run_folder import RunFolder
from tests import small
from tests.reproduction import starts


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", small.run_config())


def wait_for_end(process):
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        wait([process.connection], 0.5)
        for news in process.news():
            if isinstance(news, Ended):
                process.join()
                return news.end


@pytest.mark.parametrize("how", [child.SAVE, child.SAVE_AND_TEST])
def test_run_that_has_not_begun_to_train_stops_at_once(folder, how):
    # given
    process = Child(folder, starts.wait, cores=1, debug=False)

    # when
    began = time.monotonic()
    process.stop(how)

    # then
    assert wait_for_end(process) == End(UNFINISHED)
    assert time.monotonic() - began < 50  # of the 60 seconds that it would take


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (starts.fail, "the loss is not finite"),
        (starts.crash, "ZeroDivisionError: of something"),
        (starts.die, "its process ended with exit code 3; what was saved is whole"),
    ],
)
def test_failed_run_reports_its_cause(folder, start, expected):
    end = wait_for_end(Child(folder, start, cores=1, debug=False))
    assert (end.state, end.message) == (FAILED, expected)


def test_killed_process_is_reported(folder):
    process = Child(folder, starts.wait, cores=1, debug=False)
    process.kill()
    assert wait_for_end(process).message == "its process ended by signal 9; what was saved is whole"
