"""The script and the workflow of docs/runs.md, as printed there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import SMALL_RUM, assert_one_line, environment, rum
from tests.documents import validated
from tests.marks import needs_posix

PAGE = (Path(__file__).parents[2] / "docs/runs.md").read_text(encoding="utf-8")
(SCRIPT,) = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", PAGE, flags=re.DOTALL)
(WORKFLOW,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)


@needs_posix
@pytest.mark.slow
def test_script_leaves_the_documented_files_and_resumes_an_existing_run(tmp_path):
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/rum"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rumcli "$@"\n')
    command.chmod(0o755)
    variables = environment(
        {"REQUIRE": "loss<100", "OPTIONS": " ".join(["--steps=20", *SMALL_RUM])}
    )
    variables["PATH"] = f"{command.parent}:{variables['PATH']}"

    def script(**changes):
        return subprocess.run(
            ["sh", "-c", SCRIPT],
            cwd=tmp_path,
            env={**variables, **changes},
            capture_output=True,
            text=True,
            check=False,
        )

    result = script()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    left = {path.stem: path.read_text() for path in tmp_path.glob("*.json")}
    assert validated(left["rotation-check"], "rotation-check")["passed"]
    trained, evaluated = validated(left["train"], "train"), validated(left["eval"], "eval")
    assert trained["loss"] == evaluated["loss"]
    assert evaluated["requirements"][0]["met"]
    # The run exists and is finished: the requirement is checked against its summary.
    again = script(REQUIRE="loss<0.001")
    assert again.returncode == 1
    message = "rum: error: the result does not meet loss<0.001 (got "
    assert again.stderr.splitlines()[-1].startswith(message)


def test_unknown_metric_is_reported_before_the_first_step(tmp_path):
    arguments = ["train", "copying", *SMALL_RUM, "--out=x", "--quiet"]
    result = rum(*arguments, "--require=acuracy>=0.5", cwd=tmp_path)
    assert_one_line(result, 2, "unknown metric 'acuracy'; did you mean 'symbol_accuracy'?")
    assert list(tmp_path.iterdir()) == []


def test_workflow_is_valid(tmp_path):
    (job,) = yaml.safe_load(WORKFLOW)["jobs"].values()
    steps = [step.get("run") or step["uses"].partition("@")[0] for step in job["steps"]]
    assert steps == [
        "actions/checkout",
        "actions/setup-python",
        "pip install '.[tensorflow]'",
        "sh ci/train.sh",
        "actions/upload-artifact",
    ]
