"""`rum train babi` and `rum eval` on small stories, as a user has them."""

import json

import pytest

from tests import babi
from tests.cli.commands import assert_one_line, interrupt_when, rum, rum_process, start
from tests.documents import validated

SMALL = [
    "--hidden=8",
    "--batch-size=8",
    "--steps=20",
    "--set=train.eval_every=10",
    "--set=task.embedding=5",
    # Compiling a fused loop takes longer than such a run.
    "--cell=gru",
    "--set=model.layers=1",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with stories and a run on them, and the result of the command."""
    place = tmp_path_factory.mktemp("babi")
    babi.write_subtasks(place / "en")
    result = rum("train", "babi", "--data=en", "--out=run", *SMALL, cwd=place)
    assert result.returncode == 0, result.stderr
    return place, result


def test_run_reports_accuracy_beside_the_majority_baseline(trained):
    _, result = trained
    assert "; majority accuracy 5" in result.stderr
    for part in ("babi with gru, test split", "majority accuracy", "questions", "en, en"):
        assert part in result.stdout


def test_eval_shows_predictions_and_attention(trained):
    place, _ = trained
    result = rum("eval", "run", "--examples=2", cwd=place)
    assert result.returncode == 0, result.stderr
    for part in ("wrong predictions", "garden", "kitchen", "went to the", "where is"):
        assert part in result.stdout


def test_json_has_confusion_and_examples(trained):
    place, _ = trained
    saved = ["--save-predictions=lines.jsonl", "--force"]
    result = rum("eval", "run", "--examples=3", "--json", *saved, cwd=place)
    found = validated(result.stdout, "eval")
    lines = (place / "lines.jsonl").read_text().splitlines(keepends=True)
    read = [validated(line, "prediction") for line in lines]
    assert sum(one["correct"] for one in read) / len(read) == pytest.approx(found["accuracy"])
    told = {(story["question"], story["answer"], story["given"]) for story in found["stories"]}
    assert told <= {(one["inputs"][-1], one["target"], one["prediction"]) for one in read}
    summary = json.loads((place / "run/summary.json").read_text())
    assert found["accuracy"] == pytest.approx(summary["accuracy"])
    right = sum(row["right"] for row in found["confusion"])
    assert right / found["questions"] == pytest.approx(found["accuracy"])
    assert len(found["stories"]) == 3
    for example in found["stories"]:
        looks = [line["attention"] for line in example["story"]]
        assert all(sum(look) == pytest.approx(1, abs=1e-3) for look in zip(*looks, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("level", ["sentences", "words"])
def test_training_and_prediction_run_on_jax(trained, tmp_path, level):
    pytest.importorskip("jax")
    arguments = [
        f"--data={trained[0] / 'en'}",
        f"--set=task.input_level={level}",
        "--out=run",
        "--json",
    ]
    settings = [*SMALL, "--cell=rum", "--set=model.layers=2"]
    jax = {"KERAS_BACKEND": "jax"}
    result = rum_process("train", "babi", *arguments, *settings, cwd=tmp_path, env=jax)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    # What JAX trained, TensorFlow reads, to the rounding of float32.
    again = json.loads(rum("eval", "run", "--examples=1", "--json", cwd=tmp_path).stdout)
    assert again["loss"] == pytest.approx(summary["loss"], rel=1e-5)
    shown = rum_process("eval", "run", "--examples=1", cwd=tmp_path, env=jax)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.e2e
def test_stories_are_generated_without_data(tmp_path):
    arguments = ["--subtask=5", "--set=task.train_examples=40", "--set=task.test_examples=20"]
    arguments += ["--set=task.validation_examples=20", "--preset=babi_published", "--json"]
    result = rum("train", "babi", *arguments, *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    summary = validated(result.stdout, "train")
    assert (summary["data"], summary["subtask"]) == ("generated", 5)


@pytest.mark.slow
def test_all_subtasks_stop_and_resume(tmp_path):
    babi.write_subtasks(tmp_path / "en", numbers=range(1, 21), train=20, test=6)
    arguments = ["--subtask=all", "--data=en", "--out=all", *SMALL]
    process = start("train", "babi", *arguments, cwd=tmp_path)
    second = tmp_path / "all" / "qa2" / "metrics.jsonl"
    code, _, err = interrupt_when(process, second.exists)
    assert code == 130
    assert err.splitlines()[-1].endswith("to resume: rum train --resume all")
    first = (tmp_path / "all/qa1/summary.json").read_bytes()
    result = rum("train", "--resume=all", "--json", cwd=tmp_path)
    summary = validated(result.stdout, "train-all")
    assert [row["subtask"] for row in summary["subtasks"]] == list(range(1, 21))
    assert (tmp_path / "all/qa1/summary.json").read_bytes() == first
    assert 0 <= summary["mean_accuracy"] <= 1
    again = rum("train", "--resume=all", cwd=tmp_path)
    assert "published means" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--subtask 21", "--subtask 21: expected a number from 1 to 20, or all, got '21'"),
        ("--subtask x", "--subtask x: expected a number from 1 to 20, or all, got 'x'"),
        ("--data nowhere", "nowhere does not exist; expected a directory or an archive"),
        ("--data en --subtask 3", "en has no qa3_three-supporting-facts_train.txt"),
        ("--data en --subtask all", "en has no qa2_two-supporting-facts_train.txt"),
        ("--set task.input_level=letters", "expected 'words' or 'sentences', got 'letters'"),
    ],
)
def test_usage_errors_are_reported_without_leaving_files(trained, tmp_path, arguments, expected):
    babi.write_subtasks(tmp_path / "en")
    result = rum("train", "babi", *arguments.split(), cwd=tmp_path)
    assert_one_line(result, 2, expected)
    assert not (tmp_path / "runs").exists()


def test_examples_are_of_babi_only(finished_run):
    result = rum("eval", finished_run, "--examples=1", cwd=finished_run)
    assert_one_line(result, 2, "expected a run of 'babi'")
