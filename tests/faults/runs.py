"""What the tests of faults share: a small run with randomness in it, and its comparison."""

import json
import sys

import numpy as np
import pytest

from tests.cli.commands import SMALL, rum

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
# Dropout, so that random states count too.
ARGUMENTS = ["train", "copying", *SMALL, "--set=model.dropout=0.2"]


def records(folder):
    """Return the evaluations of a run, without times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def newest(folder):
    """Return the path of the newest checkpoint."""
    return max(folder.glob("checkpoints/step-*.npz"))


def step_of(checkpoint):
    """Return the step of a checkpoint's path."""
    return int(checkpoint.stem.removeprefix("step-"))


def assert_equal_to_the_last_bit(folder, other):
    """Assert that two runs have the same evaluations and the same arrays in the end."""
    assert records(folder) == records(other)
    assert newest(folder).name == newest(other).name
    with np.load(newest(folder)) as one, np.load(newest(other)) as two:
        assert one.files == two.files
        names = [name for name in one.files if name != "manifest"]
        assert [name for name in names if not np.array_equal(one[name], two[name])] == []


def assert_goes_on(folder, other, *options):
    """Assert that a run can be resumed, and is then like one that was never stopped."""
    result = rum("train", f"--resume={folder.name}", *options, "--quiet", cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert_equal_to_the_last_bit(folder, other)
    return result
