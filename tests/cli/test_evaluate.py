import json
import shutil

import pytest

from tests.cli.commands import assert_one_line, has_control_characters, rum, rum_process
from tests.documents import validated


def test_eval_reproduces_the_test_metrics_of_training(finished_run):
    summary = json.loads((finished_run / "summary.json").read_text())
    result = rum("eval", finished_run, "--json", cwd=finished_run.parent)
    found = validated(result.stdout, "eval")
    assert result.returncode == 0
    assert result.stderr == "evaluating the test split\n"
    for key in (
        "loss",
        "symbol_accuracy",
        "gap_to_baseline",
        "weights_of_step",
        "split",
        "baseline",
    ):
        assert found[key] == pytest.approx(summary[key]) if key == "loss" else True
        assert (found[key] == summary[key]) or key in ("loss", "gap_to_baseline")


def test_eval_shows_a_table_of_the_requested_split(finished_run):
    result = rum("eval", finished_run, "--split=validation", "--checkpoint=last", cwd="/")
    assert "copying with rum, validation split" in result.stdout
    assert "memoryless loss" in result.stdout
    assert not has_control_characters(result.stdout)


def test_predictions_of_each_sample_have_the_metrics_as_their_mean(finished_run, tmp_path):
    saved = ["--save-predictions", tmp_path / "lines.jsonl"]
    result = rum("eval", finished_run, "--json", *saved, cwd=tmp_path)
    found = validated(result.stdout, "eval")
    assert result.stderr.endswith(f"wrote {tmp_path}/lines.jsonl\n")
    lines = (tmp_path / "lines.jsonl").read_text().splitlines(keepends=True)
    read = [validated(line, "prediction") for line in lines]
    assert [one["index"] for one in read] == [*range(20)]
    correct = [flag for one in read for flag in one["correct"]]
    assert len(correct) == 200
    assert sum(correct) / 200 == pytest.approx(found["symbol_accuracy"])
    assert sum(one["loss"] for one in read) / 20 == pytest.approx(found["loss"], rel=1e-5)
    assert read[0]["target"] == [int(label) for label in read[0]["inputs"][:10]]
    p = found["symbol_accuracy"]
    assert found["standard_error"] == pytest.approx((p * (1 - p) / 20) ** 0.5)
    again = rum("eval", finished_run, *saved, cwd=tmp_path)
    assert_one_line(again, 2, "lines.jsonl exists; choose another name, or --force to replace it")
    shown = rum("eval", finished_run, *saved, "--force", cwd=tmp_path).stdout
    assert f"± {100 * found['standard_error']:.1f}%" in shown


def test_eval_changes_nothing(finished_run):
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")}
    rum("eval", finished_run, cwd="/")
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")} == before


def test_run_without_checkpoint_is_reported(finished_run, tmp_path):
    shutil.copy(finished_run / "config.yaml", tmp_path)
    expected = "has no 'best' checkpoint yet; to resume the run: "
    assert_one_line(rum("eval", tmp_path, cwd="/"), 1, expected)


def test_damaged_checkpoint_is_reported(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run/checkpoints/best.npz").write_bytes(b"rubbish")
    assert_one_line(rum("eval", tmp_path / "run", cwd="/"), 1, "best.npz is damaged")


def test_damaged_configuration_is_reported(finished_run, tmp_path):
    shutil.copytree(finished_run, tmp_path / "run")
    text = (tmp_path / "run/config.yaml").read_text().replace("units: 8", "units: eight")
    (tmp_path / "run/config.yaml").write_text(text)
    result = rum("eval", tmp_path / "run", cwd="/")
    assert_one_line(result, 2, "cell.units: expected an integer, got 'eight'")


@pytest.mark.slow
def test_a_terminal_without_unicode_is_no_error(finished_run):
    result = rum_process("eval", finished_run, cwd="/", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "memoryless loss" in result.stdout
