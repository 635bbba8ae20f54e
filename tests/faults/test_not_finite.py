"""Losses that overflow, through the command line; tests/training has all other cases."""

import json

from tests.cli.commands import SMALL, assert_one_line, rum

# The first step throws the weights out of the range of numbers.
_OVERFLOWING = ["train", "copying", "--steps=40", *SMALL, "--learning-rate=1e38", "--quiet"]


def test_non_finite_loss_is_reported_in_one_line_and_recorded(tmp_path):
    result = rum(*_OVERFLOWING, "--out=x", "--seed=3", cwd=tmp_path)
    assert_one_line(result, 1, "(seed 3) is not finite; ")
    assert "try a smaller optimizer.learning_rate" in result.stderr
    (line,) = (tmp_path / "x/not_finite.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert found["seed"] == 3
    assert found["loss"] in ("nan", "inf")
    assert len(found["gradient_norms"]) == 5


def test_too_many_consecutive_skips_end_the_run(tmp_path):
    options = ["--on-non-finite=skip", "--set=train.max_consecutive_skips=2", "--out=x"]
    result = rum(*_OVERFLOWING, *options, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.count("; the step was skipped; ") == 2
    assert (
        "after 2 consecutive skipped steps; expected at most train.max_consecutive_skips"
        in result.stderr.splitlines()[-1]
    )
