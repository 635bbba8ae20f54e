"""The scripts in examples/ run, with small sizes."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import environment, rum

EXAMPLES = Path(__file__).parent.parent / "examples"
CUSTOM = ["--hidden=8", "--batch-size=8", "--steps=6", "--set=train.eval_every=3"]


def run(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, EXAMPLES / script, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.e2e
def test_rum_layer_trains_in_a_custom_model(tmp_path):
    result = run("layer.py", "--steps=30", "--length=6", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    error = float(re.search(r"mean squared error ([\d.]+);", result.stdout)[1])
    assert error < 1 / 6  # of a model that always answers 1


def test_custom_cell_task_and_callback_are_trained_evaluated_and_exported(tmp_path):
    shutil.copy(EXAMPLES / "custom.py", tmp_path)
    own = ["--cell=custom:minimal_gru", "--set=task.options.length=5", "--out=run"]
    own.append("--callback=custom:WeightNorm")
    result = rum("train", "custom:Parity", *own, *CUSTOM, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert all(json.loads(record)["weight_norm"] > 0 for record in records)
    assert "chance accuracy" in result.stdout
    result = rum("eval", "run", cwd=tmp_path)
    assert result.returncode == 2
    assert "custom:Parity, which can do anything that you can" in result.stderr
    result = rum("export", "run", "--trust-code", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "symbols [any, 5] int32" in result.stdout


@pytest.mark.slow
@pytest.mark.e2e
def test_a_trained_run_is_exported_and_predicts(tmp_path):
    small = ["--delay=4", "--set=task.validation_examples=8", "--set=task.test_examples=8"]
    plain = "--set=cell.implementation=plain"
    result = rum("train", "copying", *small, *CUSTOM, plain, "--out=run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert rum("export", "run", cwd=tmp_path).returncode == 0
    result = run("predict.py", "run-keras", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"^right: \d+ of 10$", result.stdout, flags=re.MULTILINE)


def test_a_script_without_its_argument_shows_its_usage(capsys):
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(EXAMPLES / "predict.py"))["main"]([])
    assert "the following arguments are required: model" in capsys.readouterr().err


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_readme_describes_each_script(script):
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    assert f"(examples/{script.name})" in readme
