"""A run of a sweep in a thread of its own process, without Ray."""

import os
import time

import pytest

from rumcli.errors import RunError
from rumcli.sweeps import results, worker
from rumcli.sweeps.folder import FAILED
from rumcli.sweeps.listener import Standing
from rumcli.training import lock
from rumcli.training.run_folder import RunFolder
from tests import small
from tests.cli.commands import python


def nothing(run):
    """Start nothing."""


def to_the_end(training):
    news = []
    deadline = time.monotonic() + 120
    while not (news and isinstance(news[-1], worker.End)):
        assert time.monotonic() < deadline
        found = training.news(0.1)
        if found is not None:
            news.append(found)
    training.join()
    return news


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", small.run_config(steps=30))


def test_run_reports_its_evaluations_and_its_end(folder):
    *evaluations, end = to_the_end(worker.Training(folder, nothing))
    assert [(one.step, one.steps, one.metric) for one in evaluations] == [
        (step, 30, "loss") for step in (10, 20, 30)
    ]
    assert [one.value for one in evaluations] == [r["val_loss"] for r in folder.records()]
    assert end == worker.End(results.FINISHED)
    # A process that died after the end has nothing left to do.
    assert to_the_end(worker.Training(folder, pytest.fail)) == [worker.End(results.FINISHED)]


@pytest.mark.e2e
def test_stopped_run_saves_and_resumes_bit_exactly(folder, tmp_path):
    training = worker.Training(folder, nothing)
    while not isinstance(training.news(0.1), Standing):
        pass
    training.stop()
    assert to_the_end(training)[-1] == worker.End(results.UNFINISHED)
    assert folder.checkpoints.numbered()
    assert folder.summary() is None
    to_the_end(worker.Training(folder, nothing))

    whole = RunFolder.create(tmp_path / "whole", folder.config)
    to_the_end(worker.Training(whole, nothing))
    losses = [[r["val_loss"] for r in one.records()] for one in (folder, whole)]
    assert losses[0] == losses[1]


def test_failed_run_ends_without_a_crash(folder):
    def fail(run):
        raise RunError("the loss is not finite")

    news = to_the_end(worker.Training(folder, fail))
    assert news == [worker.End(FAILED, "the loss is not finite")]


def test_crash_is_reported_to_the_caller(folder):
    def crash(run):
        raise ZeroDivisionError("of something else")

    training = worker.Training(folder, crash)
    with pytest.raises(ZeroDivisionError):
        to_the_end(training)
    training.join()
    with folder.held() as before:  # it was given back
        assert before is None


def test_run_waits_for_an_ending_process(folder, monkeypatch):
    monkeypatch.setattr(worker, "_BETWEEN_TRIES", 0.05)
    with lock.held(folder.path):
        training = worker.Training(folder, nothing)
        assert training.news(0.5) is None
        assert training.standing is None
    assert to_the_end(training)[-1] == worker.End(results.FINISHED)


def test_a_run_does_not_wait_forever(folder, monkeypatch):
    monkeypatch.setattr(worker, "_PATIENCE", 0.2)
    monkeypatch.setattr(worker, "_BETWEEN_TRIES", 0.05)
    with lock.held(folder.path):
        (end,) = to_the_end(worker.Training(folder, nothing))
    assert end.state == FAILED
    assert "is in use by" in end.message


GPU_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(0, ["", None, None]), (0.5, ["3", "true", "false"]), (2, ["3", None, None])],
)
def test_run_sees_only_its_gpus(monkeypatch, gpus, expected):
    for variable in GPU_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")  # as Ray sets it
    monkeypatch.setattr(worker.os, "environ", dict(os.environ))
    worker.limit_gpus(gpus)
    assert [worker.os.environ.get(variable) for variable in GPU_VARIABLES] == expected


def test_run_inherits_only_the_backend_of_the_sweep(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    given = worker.environment()
    assert given == {"KERAS_BACKEND": "jax"}
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # as where the cluster was started
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    worker.take_over(given)
    assert (os.environ["KERAS_BACKEND"], os.environ["JAX_ENABLE_X64"]) == ("jax", "1")


@pytest.mark.e2e
def test_backend_is_selected_before_importing_keras(tmp_path):
    code = (
        "import sys\n"
        "import rumcli.cli.sweep, rumcli.sweeps.worker\n"
        "sys.exit('keras' in sys.modules)"
    )
    assert python(code, cwd=tmp_path).returncode == 0


def test_run_without_checkpoints_fails_at_once_and_keeps_its_record(folder):
    folder.append_record({"step": 10, "val_loss": 1.0})
    folder.append_record({"step": 20, "val_loss": 0.5})
    before = folder.records()

    def start(run):
        raise AssertionError("Keras would be imported for nothing")

    (end,) = to_the_end(worker.Training(folder, start))
    assert end.state == FAILED
    assert "step-*.npz are missing" in end.message
    assert folder.records() == before
