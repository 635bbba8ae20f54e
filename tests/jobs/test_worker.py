"""A run of a set in the process of its own, under either executor."""

import os
import threading

import pytest

from rumcli.errors import RunError
from rumcli.jobs import worker
from rumcli.jobs.job_spec import FAILED, FINISHED, SAVE, SAVE_AND_TEST, UNFINISHED, RunResult
from rumcli.training import lock
from rumcli.training.run_dir import RunDir
from tests import small
from tests.cli.commands import python


def nothing(run):
    """Start nothing."""


def train(folder, start=nothing, control=lambda: "", report=lambda progress: None):
    return worker.train(folder, start, control, report)


@pytest.fixture
def folder(tmp_path):
    return RunDir.create(tmp_path / "run", small.run_config(steps=30))


def test_run_reports_its_evaluations_and_its_end(folder):
    reports = []
    assert train(folder, report=reports.append) == RunResult(FINISHED)
    evaluations = [one for one in reports if one.value is not None]
    assert [(one.step, one.steps, one.metric) for one in evaluations] == [
        (step, 30, "loss") for step in (10, 20, 30)
    ]
    assert [one.value for one in evaluations] == [r["val_loss"] for r in folder.records()]
    # A process that died after the end has nothing left to do.
    assert train(folder, pytest.fail) == RunResult(FINISHED)


@pytest.mark.e2e
@pytest.mark.parametrize("how", [SAVE, SAVE_AND_TEST])
def test_stopped_run_saves_and_resumes_bit_exactly(folder, tmp_path, how):
    # when: it is stopped after its first evaluation
    reports = []

    def control():
        return how if any(one.value is not None for one in reports) else ""

    found = train(folder, control=control, report=reports.append)

    # then
    assert (found.state, found.step) == (UNFINISHED, 10)
    assert (found.metrics is not None) == (how == SAVE_AND_TEST)
    assert folder.checkpoints.numbered()
    assert folder.summary() is None
    train(folder)
    whole = RunDir.create(tmp_path / "whole", folder.config)
    train(whole)
    losses = [[r["val_loss"] for r in one.records()] for one in (folder, whole)]
    assert losses[0] == losses[1]


def test_run_that_is_stopped_before_it_starts_needs_no_keras(folder):
    assert train(folder, pytest.fail, lambda: SAVE) == RunResult(UNFINISHED)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RunError("the loss is not finite"), "the loss is not finite"),
        (ZeroDivisionError("of\nsomething"), "ZeroDivisionError: of something"),
    ],
)
def test_failed_run_reports_its_cause_and_releases_its_folder(folder, error, expected):
    def fail(run):
        raise error

    assert train(folder, fail) == RunResult(FAILED, expected)
    with folder.held() as before:
        assert before is None


def test_run_waits_for_an_ending_process(folder, monkeypatch):
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.05)
    holds, release = threading.Event(), threading.Event()

    def hold():
        with lock.held(folder.path):
            holds.set()
            release.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait()
    threading.Timer(0.3, release.set).start()
    assert train(folder, control=lambda: "" if holder.is_alive() else SAVE).state == UNFINISHED
    holder.join()


def test_a_run_does_not_wait_forever(folder, monkeypatch):
    monkeypatch.setattr(worker, "_PATIENCE", 0.2)
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.05)
    with lock.held(folder.path):
        found = train(folder)
    assert found.state == FAILED
    assert "is in use by" in found.message


@pytest.mark.parametrize(
    ("gpus", "names", "visible", "shares"),
    [
        (0, None, "", False),
        (0.5, None, "3", True),
        (2, None, "3", False),
        (None, None, "3", True),
        (1, ["5"], "5", False),
        (0.5, ["5"], "5", True),
    ],
)
def test_run_sees_only_its_gpus(monkeypatch, gpus, names, visible, shares):
    monkeypatch.setattr(worker.os, "environ", {"CUDA_VISIBLE_DEVICES": "3"})  # as Ray sets it
    worker.prepare(4, worker.gpu_environment(gpus, names))
    found = worker.os.environ
    assert found["CUDA_VISIBLE_DEVICES"] == visible
    assert found.get("TF_FORCE_GPU_ALLOW_GROWTH") == ("true" if shares else None)
    assert found.get("XLA_PYTHON_CLIENT_PREALLOCATE") == ("false" if shares else None)
    assert found["TF_NUM_INTRAOP_THREADS"] == found["OMP_NUM_THREADS"] == "4"


def test_memory_limits_of_the_user_are_kept(monkeypatch):
    monkeypatch.setattr(worker.os, "environ", {"TF_FORCE_GPU_ALLOW_GROWTH": "false"})
    worker.prepare(1, worker.gpu_environment(0.5))
    assert worker.os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "false"


def test_run_inherits_only_the_backend_of_the_sweep(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    given = worker.environment()
    assert given == {"KERAS_BACKEND": "jax"}
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # as where the cluster was started
    monkeypatch.setenv("JAX_ENABLE_X64", "1")
    worker.prepare(1, given)
    assert (os.environ["KERAS_BACKEND"], os.environ["JAX_ENABLE_X64"]) == ("jax", "1")


@pytest.mark.e2e
def test_backend_is_selected_before_importing_keras(tmp_path):
    code = (
        "import sys\n"
        "import rumcli.cli.sweep, rumcli.jobs.execution\n"
        "sys.exit('keras' in sys.modules)"
    )
    assert python(code, cwd=tmp_path).returncode == 0


def test_run_without_checkpoints_fails_at_once_and_keeps_its_record(folder):
    folder.append_record({"step": 10, "val_loss": 1.0})
    folder.append_record({"step": 20, "val_loss": 0.5})
    before = folder.records()

    def start(run):
        pytest.fail("Keras would be imported for nothing")

    found = train(folder, start)
    assert found.state == FAILED
    assert "step-*.npz are missing" in found.message
    assert folder.records() == before
