"""`--callback`: Keras callbacks of the user's own."""

import json

import pytest
import yaml

from tests.cli.commands import SMALL, assert_one_line, rum

CALLBACKS = """
import keras

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True

class Fail(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise KeyError("theirs")

def Three():
    return 3
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with callbacks of the user's own, and a run that one of them stopped."""
    place = tmp_path_factory.mktemp("own")
    (place / "mine.py").write_text(CALLBACKS)
    options = ["--callback=mine:Stop", "--steps=30", "--out=run", "--json"]
    result = rum("train", "copying", *SMALL, *options, cwd=place)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["steps"], summary["stopped_by"]) == (10, "mine:Stop")
    return place


def test_configuration_has_the_callbacks(place):
    found = yaml.safe_load((place / "run" / "config.yaml").read_text())["train"]["callbacks"]
    assert found == [{"factory": "mine:Stop", "options": {}}]


def test_resumed_run_is_finished_where_its_callback_stopped_it(place):
    for trust in ("--trust-code", "--callback=mine:Stop", "--set=train.callbacks=[mine:Stop]"):
        result = rum("train", "--resume=run", trust, cwd=place)
        assert result.returncode == 0, result.stderr
        assert "finished at step 10, where callback mine:Stop stopped it" in result.stderr
        assert "stopped by" in result.stdout
    result = rum("train", "--resume=run", cwd=place)
    assert_one_line(result, 2, "mine:Stop, which can do anything that you can")
    result = rum("train", "--resume=run", "--callback=mine:Fail", cwd=place)
    assert_one_line(result, 2, "the configuration differs in train.callbacks")


def test_evaluation_needs_no_callback(place):
    assert rum("eval", "run", cwd=place).returncode == 0


def test_error_in_a_callback_is_one_line_and_a_traceback_with_debug(place):
    options = ["--callback=mine:Fail", "--steps=30", "--quiet"]
    result = rum("train", "copying", *SMALL, *options, "--out=one", cwd=place)
    message = "callback mine:Fail failed in on_epoch_begin: KeyError: 'theirs'; to continue: rum"
    assert_one_line(result, 1, message)
    assert (place / "one" / "checkpoints" / "step-00000010.npz").exists()
    # The resumed run begins with the epoch at which it failed.
    result = rum("train", "--resume=one", "--trust-code", "--debug", cwd=place)
    assert result.returncode == 1
    assert 'mine.py", line ' in result.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--callback=mine"], "--callback mine: expected a name as in package.module:Class"),
        (["--callback=mine:Missing"], "mine:Missing: mine has no Missing"),
        (["--callback=nowhere:Stop"], "there is no module nowhere"),
        (["--callback=mine:Three"], "mine:Three: expected a keras.callbacks.Callback, got int"),
        (["--set=train.callbacks=[3]"], "expected a mapping of keys to values, got 3"),
        (["--set=train.callbacks=[{factor: mine:Stop}]"], "factor"),
    ],
)
def test_usage_errors_are_one_line_without_leaving_a_run(place, options, expected):
    result = rum("train", "copying", *SMALL, *options, "--out=none", cwd=place)
    assert_one_line(result, 2, expected)
    assert not (place / "none").exists()
