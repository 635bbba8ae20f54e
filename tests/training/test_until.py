"""`train.until`: a run stops at the first validation that meets the threshold."""

import pytest

from rumcli.errors import ConfigError
from rumcli.signals import StopRequest
from rumcli.training.callback import RunStopped
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train
from tests import small


class StopAtEvaluation(Listener):
    """Requests a stop at the evaluation of a step."""

    def __init__(self, step):
        self.request = StopRequest()
        self._step = step

    def evaluated(self, record):
        if record["step"] == self._step:
            self.request.signal = 15


class Killed(BaseException):
    """A process that dies."""


class DieBeforeTheTest(Listener):
    """Dies when training is over."""

    def testing(self):
        raise Killed


def without_times(summary):
    return {key: value for key, value in summary.items() if key not in ("seconds", "folder")}


def create_run(place, until):
    run = small.run_config(steps=40, train__until=until)
    return run, RunDir.create(place, run)


@pytest.fixture(scope="module")
def below(tmp_path_factory):
    """The directory of a run that never meets its threshold."""
    run, run_dir = create_run(tmp_path_factory.mktemp("below") / "run", "loss<-1")
    train(run, run_dir, Listener())
    return run_dir


@pytest.fixture(scope="module")
def whole(tmp_path_factory, below):
    """The directory of a run that meets its threshold at the second validation."""
    first, second, *_ = [record["val_loss"] for record in below.records()]
    assert second < first
    threshold = f"loss<{(first + second) / 2!r}"
    run, run_dir = create_run(tmp_path_factory.mktemp("whole") / "run", threshold)
    train(run, run_dir, Listener())
    return run_dir


def test_run_stops_at_the_first_validation_that_meets_the_threshold(whole):
    summary, run = whole.summary(), whole.config
    assert [record["step"] for record in whole.records()] == [10, 20]
    assert (summary["steps"], summary["until_met"]) == (20, run.train.until)
    assert whole.finished(run) == summary
    assert whole.checkpoints.numbered()[0].name == "step-00000020.npz"


def test_run_below_its_threshold_takes_all_steps(below):
    summary = below.summary()
    assert (summary["steps"], summary["until_met"]) == (40, None)


@pytest.mark.parametrize(
    "end",
    ["stop", *(pytest.param(end, marks=pytest.mark.slow) for end in ("stop before", "kill"))],
)
def test_stop_near_the_threshold_changes_nothing(tmp_path, whole, end):
    # given
    expected = without_times(whole.summary())
    run, run_dir = create_run(tmp_path / "run", whole.config.train.until)

    # when
    if end == "kill":
        with pytest.raises(Killed):
            train(run, run_dir, DieBeforeTheTest())
    else:
        listener = StopAtEvaluation(20 if end == "stop" else 10)
        if end == "stop before":
            with pytest.raises(RunStopped):
                train(run, run_dir, listener, listener.request)
        else:  # at the last validation, only the test remains
            train(run, run_dir, listener, listener.request)

    # then
    assert without_times(train(run, run_dir, Listener())) == expected
    assert [r["val_loss"] for r in run_dir.records()] == [r["val_loss"] for r in whole.records()]


def test_metric_of_another_task_is_reported_before_the_first_step(tmp_path):
    with pytest.raises(ConfigError, match=r"train.until: unknown metric"):
        small.run_config(train__until="symbol_acuracy>=1")
    # The metrics of a custom task are known only in the trainer.
    run, run_dir = create_run(tmp_path / "run", "symbol_accuracy>=1")
    train_config = run.train.model_copy(update={"until": "symbol_acuracy>=1"})
    run = run.model_copy(update={"train": train_config})
    with pytest.raises(ConfigError, match=r"train.until=symbol_acuracy>=1: unknown metric"):
        train(run, run_dir, Listener())
    assert run_dir.records() == []


def test_wrong_form_is_a_configuration_error():
    with pytest.raises(ConfigError, match=r"train.until: expected NAME>=NUMBER"):
        small.run_config(train__until="accuracy")
