"""Tasks with other lengths: training, `rum eval --length`, `rum plot --over length`."""

import json

import numpy as np
import pytest

from rumcli.config import Split
from rumcli.tasks import registry
from rumcli.training import evaluation
from tests import small
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated

SMALL = {
    "state_tracking": ["task.length=5"],
    "mqar": ["task.length=16", "task.embedding=4", "task.train_examples=20", "task.pairs=2"],
    "adding": ["task.length=6"],
    "selective_copying": ["task.length=6", "task.symbols=3"],
}
OPTIONS = ["--cell=gru", "--hidden=4", "--batch-size=8", "--steps=2", "--set=train.eval_every=1"]
EXAMPLES = ["--set=task.validation_examples=16", "--set=task.test_examples=16"]


def train(task, place, *more):
    settings = [f"--set={setting}" for setting in SMALL[task]]
    return rum("train", task, *OPTIONS, *EXAMPLES, *settings, "--out=run", *more, cwd=place)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a run of state tracking."""
    place = tmp_path_factory.mktemp("lengths")
    result = train("state_tracking", place, "--group=parity", "--json")
    assert result.returncode == 0, result.stderr
    return place, validated(result.stdout, "train")


def test_run_names_its_problem_and_is_scored_beside_chance(trained):
    _, summary = trained
    assert (summary["problem"], summary["baseline"]["value"]) == ("parity", 0.5)
    assert 0 <= summary["accuracy"] <= 1


@pytest.mark.parametrize("task", ["mqar", "adding", "selective_copying"])
def test_task_is_trained_and_evaluated_at_another_length(tmp_path, task):
    result = train(task, tmp_path)
    assert result.returncode == 0, result.stderr
    result = rum("eval", "run", "--length=20", "--json", cwd=tmp_path)
    (found,) = validated(result.stdout, "eval")["lengths"]
    assert found["length"] == 20
    assert found["loss"] >= 0
    assert ("accuracy_by_position" in found) is (task != "adding")


def test_eval_has_the_accuracy_at_each_length_and_position(trained):
    place, summary = trained
    result = rum("eval", "run", "--length=5", "--length=9", "--json", cwd=place)
    found = validated(result.stdout, "eval")
    assert [one["length"] for one in found["lengths"]] == [5, 9]
    assert found["lengths"][0]["accuracy"] == pytest.approx(summary["accuracy"])
    for one in found["lengths"]:
        positions = one["accuracy_by_position"]
        assert len(positions) == one["length"]
        assert np.mean(positions) == pytest.approx(one["accuracy"], abs=1e-6)
        assert one["final_accuracy"] == positions[-1]
    shown = rum("eval", "run", "--length=9", cwd=place).stdout
    assert "final accuracy" in shown


def test_weights_that_track_parity_score_at_every_position():
    """A sum in one unit is exact at any length; the prediction of each position is used."""
    made = registry.make(
        small.run_config("state_tracking", settings=["task.problem=parity", "task.length=6"])
    )

    class Exact:
        def predict_on_batch(self, inputs):
            odd = np.cumsum(inputs, axis=1) % 2
            wrong = np.where(np.arange(inputs.shape[1]) == 3, 1 - odd, odd)
            return np.eye(2)[wrong]

    found = evaluation.accuracy_by_position(made, Exact(), Split.TEST)
    assert found == [1, 1, 1, 0, 1, 1]


def test_plot_shows_the_test_metric_over_the_length(trained):
    place, _ = trained
    result = rum("plot", "run", "--over=length", "--length=5", "--length=9", "--json", cwd=place)
    found = validated(result.stdout, "plot")
    assert [point["length"] for point in found["runs"][0]["points"]] == [5, 9]
    assert (found["metric"], found["levels"][0]["label"]) == ("accuracy", "chance")
    result = rum("plot", "run", "--over=length", "--length=7", "--out=length.svg", cwd=place)
    assert result.returncode == 0, result.stderr
    assert "length of the sequences" in (place / "length.svg").read_text()


@pytest.mark.usefixtures("_keras_is_not_started")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eval", "run", "--length=2"], "--length 2: expected at least 3, got 2"),
        (["eval", "run", "--length=x"], "expected an integer, got 'x'"),
        (["plot", "run", "--over=length", "--length=1"], "--length 1: expected at least 3"),
        (["plot", "run", "--length=9"], "--length 9 requires --over length"),
        (["plot", "run", "--over=length", "--metric=x"], "unknown metric 'x'"),
        (["train", "state_tracking", "--group=S7"], "--group S7: expected a group with 2 to 1,000"),
        (["train", "state_tracking", "--group=Q8"], "--group Q8: expected parity, cycle, "),
        (["train", "state_tracking", "--set=task.length=2"], "expected at least 3, got 2"),
        (["train", "state_tracking", "--set=task.generators=7"], "the order of S3, 6, got 7"),
        (["train", "recall", "--group=S3"], "(tasks that have it: state_tracking)"),
        (["train", "mqar", "--set=task.pairs=30"], "task.length: expected at least 120"),
        (["train", "mqar", "--set=task.pairs=300"], "expected at most 128, half of"),
        (["train", "selective_copying", "--set=task.length=9"], "expected at least 16"),
    ],
)
def test_errors_name_the_possible_values(trained, arguments, expected):
    assert_one_line(rum(*arguments, cwd=trained[0]), 2, expected)


def test_length_needs_a_task_that_has_one(finished_run):
    result = rum("eval", finished_run, "--length=9", cwd=finished_run)
    assert_one_line(result, 2, "tasks with other lengths: state_tracking, mqar, adding, sel")


@pytest.mark.parametrize("task", SMALL)
def test_examples_are_written_as_arrays(tmp_path, task):
    settings = [f"--set={setting}" for setting in SMALL[task]]
    result = rum("gen-data", task, "--count=2", *settings, cwd=tmp_path)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [sorted(line) for line in lines] == [["inputs", "targets"]] * 2
