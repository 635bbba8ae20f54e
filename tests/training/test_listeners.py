"""TensorBoard curves: their points, no duplicates, no effect of errors on training."""

import sys

import pytest

from rumcli.training import listeners
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train
from tests import small


class Written:
    """In place of a file; may fail at some call."""

    def __init__(self, fails_at=None):
        self.calls = []
        self._fails_at = fails_at

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if name == self._fails_at:
                raise OSError("no space left on device")

        return call


class Warned(Listener):
    def __init__(self):
        self.warnings = []

    def warned(self, message):
        self.warnings.append(message)


def write_curves_to(monkeypatch, file):
    """Redirect the curves of the next runs to a stand-in."""

    def beside(listener, run):
        return listeners.CompositeListener(
            listener, listeners.Curves(lambda: file, listener.warned)
        )

    monkeypatch.setattr("rumcli.training.listeners.with_tensorboard", beside)


def test_every_tenth_step_and_every_evaluation_are_written(tmp_path, monkeypatch):
    file = Written()
    write_curves_to(monkeypatch, file)
    folder = RunDir.create(tmp_path, small.run_config(steps=25))
    train(folder.config, folder, Listener())
    assert file.calls[0] == ("restart", 1)
    assert file.calls[-1] == ("close",)
    added = [(call[1], set(call[2])) for call in file.calls if call[0] == "add"]
    training = {"training/loss", "training/symbol_accuracy"}
    validation = {"validation/loss", "validation/symbol_accuracy"}
    assert added == [
        (10, training),
        (10, validation),
        (20, training),
        (20, validation),
        (25, validation),
    ]
    records = {record["step"]: record["val_loss"] for record in folder.records()}
    losses = {c[1]: c[2]["validation/loss"] for c in file.calls if "validation/loss" in str(c)}
    assert losses == records


@pytest.mark.parametrize(
    "moment",
    [
        "restart",
        "add",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("flush", "close")),
    ],
)
def test_tensorboard_error_is_reported_once_and_training_continues(tmp_path, monkeypatch, moment):
    file, listener = Written(moment), Warned()
    write_curves_to(monkeypatch, file)
    folder = RunDir.create(tmp_path, small.run_config(steps=20))
    assert train(folder.config, folder, listener)["steps"] == 20
    expected = "no more curves for TensorBoard: no space left on device; the run continues"
    assert listener.warnings == [expected]
    assert [call[0] for call in file.calls].count(moment) == 1


@pytest.mark.parametrize("wrong", [None, "a module of another kind"])
def test_missing_tensorboard_disables_curves(tmp_path, monkeypatch, wrong):
    for name in [name for name in sys.modules if name.startswith("tensorboard.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", wrong)
    listener = Listener()
    assert listeners.with_tensorboard(listener, tmp_path) is listener


def test_tensorboard_shows_no_step_twice_after_a_resume(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    class BrokenOffError(Exception):
        pass

    class BreaksOff(Listener):
        def stepped(self, step, logs):
            if step == 33:
                raise BrokenOffError

    # Given a run that broke off behind its last checkpoint, at step 25, with curves up to step 30,
    settings = ["train.checkpoint_every=25", "train.eval_every=15"]
    folder = RunDir.create(tmp_path, small.run_config(steps=50, settings=settings))
    with pytest.raises(BrokenOffError):
        train(folder.config, folder, BreaksOff())
    curves = tmp_path / "tensorboard"
    assert points(reading, curves, "training/loss") == [10, 20, 30]
    assert points(reading, curves, "validation/loss") == [15, 30]
    # when it resumes,
    train(folder.config, folder, Listener())
    # then each step occurs once, with the values of the run's record.
    assert len(list(curves.iterdir())) == 2
    assert points(reading, curves, "training/loss") == [10, 20, 30, 40, 50]
    assert points(reading, curves, "validation/loss") == [15, 30, 45, 50]
    values = scalars(reading, curves, "validation/loss")
    assert [value.value for value in values] == pytest.approx(
        [record["val_loss"] for record in folder.records()]
    )


def scalars(reading, folder, name):
    found = reading.EventAccumulator(str(folder))
    return found.Reload().Scalars(name)


def points(reading, folder, name):
    return [value.step for value in scalars(reading, folder, name)]


def test_curves_are_not_written_through_a_link(tmp_path):
    pytest.importorskip("tensorboard")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "tensorboard").symlink_to(elsewhere)
    with pytest.raises(OSError, match="tensorboard is a link"):
        listeners.EventFile(tmp_path / "tensorboard")
    assert list(elsewhere.iterdir()) == []
