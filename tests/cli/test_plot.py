import json
import re
import shutil

import pytest

from rumcli.cli import _training
from rumcli.training.run_dir import RunDir
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated


def test_plot_draws_learning_curves(tmp_path, finished_run):
    result = rum("plot", finished_run, "--out=x.svg", "--over=time", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "wrote x.svg\n")
    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_finished_run_has_a_picture_of_its_learning_curve(tmp_path, finished_run, capsys):
    assert "memoryless" in (finished_run / "curves.svg").read_text()
    # A plot that cannot be written does not fail a finished run.
    place = tmp_path / "run"
    shutil.copytree(finished_run, place)
    (place / "curves.svg").unlink()
    (place / "curves.svg").mkdir()
    assert _training._draw(RunDir(place)) == []
    assert capsys.readouterr().err.startswith(f"warning: can't write {place}/curves.svg: ")


def test_json_has_the_curves_and_writes_no_plot(tmp_path, finished_run):
    result = rum("plot", finished_run, "--metric=symbol_accuracy", "--json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    found = validated(result.stdout, "plot")
    assert (found["metric"], found["levels"], found["plot"]) == ("symbol_accuracy", [], None)
    (run,) = found["runs"]
    records = [json.loads(line) for line in (finished_run / "metrics.jsonl").open()]
    assert [point["step"] for point in run["points"]] == [10, 20]
    assert [p["value"] for p in run["points"]] == [r["val_symbol_accuracy"] for r in records]
    assert list(tmp_path.iterdir()) == []
    # With a plot, and the baseline of the metric that has one.
    result = rum("plot", finished_run, "--out=x.svg", "--json", cwd=tmp_path)
    found = validated(result.stdout, "plot")
    assert (result.stderr, found["plot"]) == ("wrote x.svg\n", "x.svg")
    assert [level["label"] for level in found["levels"]] == ["memoryless"]
    assert "<svg" in (tmp_path / "x.svg").read_text()


def test_unfinished_runs_and_runs_of_the_same_name_are_drawn(tmp_path, finished_run):
    for place in ("a", "b"):
        folder = tmp_path / place / "run"
        folder.mkdir(parents=True)
        for name in ("config.yaml", "metrics.jsonl"):
            (folder / name).write_bytes((finished_run / name).read_bytes())
    result = rum("plot", "a/run", "b/run", cwd=tmp_path)
    assert result.stderr == "wrote curves.png\n"
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_curves_are_labeled_by_the_differences_of_their_runs(tmp_path, finished_run):
    for name, seed in (("one", 1), ("two", 2), ("again", 2)):
        shutil.copytree(finished_run, tmp_path / name)
        text = (finished_run / "config.yaml").read_text()
        changed = re.sub(r"^seed: .*$", f"seed: {seed}", text, flags=re.MULTILINE)
        (tmp_path / name / "config.yaml").write_text(changed)

    def labels(*runs):
        result = rum("plot", *runs, "--json", cwd=tmp_path)
        return [run["label"] for run in json.loads(result.stdout)["runs"]]

    assert labels("one") == ["one"]
    assert labels("one", "two") == ["seed=1", "seed=2"]
    assert labels("one", "two", "again") == ["seed=1", "seed=2, two", "seed=2, again"]
    assert labels("two", "again") == ["two", "again"]


def test_unfinished_run_has_its_baseline(tmp_path, finished_run):
    shutil.copytree(finished_run, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    assert rum("plot", "run", "--out=x.svg", cwd=tmp_path).returncode == 0
    assert "memoryless" in (tmp_path / "x.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "there is no run directory nowhere"),
        (
            ["{run}", "--metric=los"],
            "--metric los: {run}: unknown metric 'los'; did you mean 'loss'",
        ),
        (["{run}", "--over=minutes"], "--over minutes: unknown axis 'minutes'"),
        (["{run}", "--theme=sepia"], "--theme sepia: unknown theme 'sepia'"),
        (["{run}", "--out=x.gif"], "--out x.gif: expected a name that ends in .png, .svg, .pdf"),
        (["{run}", "--out=there.png"], "there.png exists; choose another name, or --force"),
        ([], "missing argument 'RUN...'"),
    ],
)
def test_usage_errors_are_reported_in_one_line(tmp_path, finished_run, arguments, expected):
    (tmp_path / "there.png").write_bytes(b"mine")
    arguments = [argument.format(run=finished_run) for argument in arguments]
    result = rum("plot", *arguments, cwd=tmp_path)
    assert_one_line(result, 2, expected.format(run=finished_run))
    assert (tmp_path / "there.png").read_bytes() == b"mine"


def test_run_without_an_evaluation_cannot_be_drawn(tmp_path, finished_run):
    folder = tmp_path / "young"
    folder.mkdir()
    (folder / "config.yaml").write_bytes((finished_run / "config.yaml").read_bytes())
    assert_one_line(rum("plot", "young", cwd=tmp_path), 2, "young has no evaluation yet")
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 1})[:-1])  # a line that was cut off
    assert_one_line(rum("plot", "young", cwd=tmp_path), 2, "young has no evaluation yet")
