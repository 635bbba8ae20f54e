"""User-defined Keras callbacks in a run."""

import json
from typing import ClassVar

import keras
import pytest

from rumcli import plugins
from rumcli.errors import ConfigError, RunError
from rumcli.signals import StopRequest
from rumcli.training.callback import RunStopped
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train
from tests import small


class Recorder(keras.callbacks.Callback):
    """Records the calls of its hooks; may stop the run or fail at a batch."""

    calls: ClassVar = []

    def __init__(self, stop_at=None, fail_at=None):
        super().__init__()
        self.stop_at = stop_at
        self.fail_at = fail_at
        self.batches = 0

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_train_end(self, logs=None):
        self.calls.append("end")

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == self.fail_at:
            raise ValueError("no more\nbatches")
        if self.batches == self.stop_at:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(epoch)
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        logs["note"] = "a text"


def not_a_callback():
    return 3


PATH = f"{__name__}:Recorder"


@pytest.fixture(autouse=True)
def calls(monkeypatch):
    """Trust the callbacks of this file, and return the recorded calls."""
    monkeypatch.setattr(plugins, "_trusted", {})
    plugins.load_trusted(PATH)
    plugins.load_trusted(f"{__name__}:not_a_callback")
    monkeypatch.setattr(Recorder, "calls", [])
    # Imported by name, which may create a second module.
    monkeypatch.setattr(plugins.find(PATH), "calls", Recorder.calls)
    return Recorder.calls


def configure(path, **options):
    callbacks = json.dumps([{"factory": path, "options": options}])
    return small.run_config(steps=25, settings=[f"train.callbacks={callbacks}"])


def create_run(place, **options):
    run = configure(PATH, **options)
    return run, RunDir.create(place, run)


def test_a_run_is_one_training_of_numbered_epochs_for_a_callback(tmp_path, calls):
    run, run_dir = create_run(tmp_path / "run")
    summary = train(run, run_dir, Listener())
    assert calls == ["begin", 0, 1, 2, "end"]
    assert (summary["steps"], summary["stopped_by"]) == (25, None)
    # Numbers that the callback adds to the logs are recorded.
    assert all(record["learning_rate"] > 0 for record in run_dir.records())
    assert "note" not in run_dir.records()[0]


def test_stop_training_ends_the_run_with_a_summary(tmp_path, calls):
    run, run_dir = create_run(tmp_path / "run", stop_at=13)
    summary = train(run, run_dir, Listener())
    assert [record["step"] for record in run_dir.records()] == [10, 13]
    assert (summary["steps"], summary["stopped_by"]) == (13, PATH)
    assert calls == ["begin", 0, 1, "end"]
    assert run_dir.finished(run) == run_dir.summary()
    # Without its summary, the run is tested again and not trained further.
    (run_dir.path / "summary.json").unlink()
    calls.clear()
    assert train(run, run_dir, Listener()) == summary
    assert calls == []


def test_a_resumed_run_continues_the_epochs(tmp_path, calls):
    run, run_dir = create_run(tmp_path / "run")
    request = StopRequest()

    class StopAfterTenSteps(Listener):
        def evaluated(self, record):
            request.signal = 15

    with pytest.raises(RunStopped):
        train(run, run_dir, StopAfterTenSteps(), request)
    assert calls == ["begin", 0]
    train(run, run_dir, Listener())
    assert calls == ["begin", 0, "begin", 1, 2, "end"]


def test_an_error_names_the_callback_and_keeps_the_checkpoints(tmp_path):
    run, run_dir = create_run(tmp_path / "run", fail_at=13)
    with pytest.raises(RunError) as caught:
        train(run, run_dir, Listener())
    assert str(caught.value) == (
        f"callback {PATH} failed in on_train_batch_end: ValueError: no more batches; to continue: "
        f"rum train --resume {run_dir.path} --trust-code"
    )
    assert run_dir.checkpoints.numbered()[0].name == "step-00000010.npz"


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("not_a_callback", {}, "expected a keras.callbacks.Callback, got int"),
        ("Recorder", {"patience": 3}, r"Recorder\(patience=3\) fails: TypeError"),
        ("Unknown", {}, "which can do anything that you can; if you trust it: --trust-code"),
    ],
)
def test_invalid_callback_is_rejected_before_anything_is_written(tmp_path, path, options, expected):
    run = small.run_config(train__callbacks=[{"factory": f"{__name__}:{path}", "options": options}])
    place = tmp_path / "run"
    with pytest.raises(ConfigError, match=expected), RunDir.claim(place, run) as run_dir:
        train(run, run_dir, Listener())
    assert not place.exists()
