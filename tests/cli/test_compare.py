import json
import shutil

import pytest

from tests.cli.commands import assert_one_line, python, rum
from tests.documents import validated


@pytest.fixture
def runs(tmp_path, finished_run):
    """A finished run, one that was stopped, and one that has just begun."""
    for name in ("done", "stopped", "begun"):
        shutil.copytree(finished_run, tmp_path / name)
    for name in ("stopped", "begun"):
        (tmp_path / name / "summary.json").unlink()
        config = tmp_path / name / "config.yaml"
        config.write_text(config.read_text().replace("steps: 20", "steps: 30"))
    (tmp_path / "begun" / "metrics.jsonl").unlink()
    return tmp_path


def test_compare_lists_runs_with_their_differences(runs):
    result = rum("compare", "begun", "stopped", "done", cwd=runs)
    assert (result.returncode, result.stderr) == (0, "")
    for part in ("copying: lowest loss first", "train.steps", "best validation", "20 of 30"):
        assert part in result.stdout
    # `plan.json` has the baseline and the weights of an unfinished run.
    assert result.stdout.count("memoryless") == 2
    assert "no evaluation yet" in result.stdout


def test_json_is_one_document(runs):
    result = rum("compare", "begun", "./done", "done/../done", "--json", cwd=runs)
    assert result.stderr == "done/../done is named more than once; it is used once\n"
    (group,) = validated(result.stdout, "compare")["groups"]
    assert group["differences"] == ["train.steps"]
    done, begun = group["runs"]
    summary = json.loads((runs / "done/summary.json").read_text())
    assert (done["value"], done["split"]) == (summary["loss"], "test")
    assert done["gap_to_baseline"] == pytest.approx(summary["gap_to_baseline"])
    assert done["settings"] == {"train.steps": 20}
    assert (begun["value"], begun["finished"]) == (None, False)
    assert begun["parameters"] == summary["parameters"]
    assert begun["baseline"]["label"] == "memoryless"


@pytest.mark.e2e
def test_compare_does_not_import_keras(runs):
    code = "import sys; from rumcli.cli.app import main; main(['compare', 'done']); "
    result = python(code + "print({'keras', 'tensorflow'} & set(sys.modules))", runs)
    assert result.stdout.endswith("set()\n")


def test_directory_that_is_no_run_is_rejected(runs):
    (runs / "empty").mkdir()
    result = rum("compare", "done", "empty", cwd=runs)
    assert_one_line(result, 2, "empty is empty; expected the directory of a run")
    assert_one_line(rum("compare", "gone", cwd=runs), 2, "there is no run directory gone")
    assert_one_line(rum("compare", cwd=runs), 2, "missing argument 'RUN...'")
