"""The process of a run, without TensorFlow: how it ends when something is wrong."""

import time
from multiprocessing.connection import wait

import pytest

from rumcli.jobs import local
from rumcli.jobs.job_spec import FAILED, SAVE, SAVE_AND_TEST, UNFINISHED, RunResult
from rumcli.jobs.local import Child, Gpus
from rumcli.training.run_dir import RunDir
from tests import small
from tests.jobs import starts


@pytest.fixture
def folder(tmp_path):
    return RunDir.create(tmp_path / "run", small.run_config())


def wait_for_end(process):
    deadline = time.monotonic() + 60
    while True:
        assert time.monotonic() < deadline
        wait([process.connection], 0.5)
        for report in process.reports():
            if isinstance(report, (RunResult, str)):
                process.join()
                return report


@pytest.mark.parametrize("how", [SAVE, SAVE_AND_TEST])
def test_run_that_has_not_started_to_train_stops_at_once(folder, how):
    # given
    process = Child(folder, {}, starts.wait, cores=1, debug=False)

    # when
    began = time.monotonic()
    process.stop(how)

    # then
    assert wait_for_end(process) == RunResult(UNFINISHED)
    assert time.monotonic() - began < 50  # of the 60 seconds that it would take


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (starts.fail, "the loss is not finite"),
        (starts.crash, "ZeroDivisionError: of something"),
    ],
)
def test_failed_run_reports_its_cause(folder, start, expected):
    end = wait_for_end(Child(folder, {}, start, cores=1, debug=False))
    assert (end.state, end.message) == (FAILED, expected)


def test_dead_process_is_reported(folder):
    died = Child(folder, {}, starts.die, cores=1, debug=False)
    killed = Child(folder, {}, starts.wait, cores=1, debug=False)
    killed.kill()
    assert wait_for_end(died) == "its process ended with exit code 3"
    assert wait_for_end(killed) == "its process ended by signal 9"


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        (None, [{}, {}]),
        (0, [{"CUDA_VISIBLE_DEVICES": ""}] * 2),
        (1, [{"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"}]),
        (0.5, [{"CUDA_VISIBLE_DEVICES": name} for name in ("3", "5", "3", "5")]),
    ],
)
def test_each_run_has_gpus_of_its_own(each, expected):
    gpus = Gpus(["3", "5"], each)
    growth = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    shared = each is None or 0 < each < 1
    assert [gpus.environment(gpus.take()) for _ in expected] == [
        {**one, **(growth if shared else {})} for one in expected
    ]


def test_gpus_of_an_ended_run_are_assigned_again():
    gpus = Gpus(["0", "1", "2", "3"], 2)
    first, second = gpus.take(), gpus.take()
    assert (first, second, gpus.take()) == (["0", "1"], ["2", "3"], [])
    gpus.give_back(second)
    assert gpus.take() == ["2", "3"]


@pytest.mark.parametrize(
    ("chosen", "expected"), [("2,3", ["2", "3"]), ("", []), ("GPU-a", ["GPU-a"])]
)
def test_only_visible_gpus_are_assigned(monkeypatch, chosen, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert local.visible_gpus() == expected


def test_gpus_are_listed_by_the_driver(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local.visible_gpus() == []
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\necho 'GPU 0: NVIDIA H100 (UUID: GPU-a)'\necho 'GPU 1: NVIDIA H100'\n"
    )
    tool.chmod(0o755)
    assert local.visible_gpus() == ["0", "1"]
