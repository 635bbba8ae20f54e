"""A small run with dropout, and the comparison of its resumption with an uninterrupted run."""

import numpy as np

from tests.cli.commands import SMALL, rum
from tests.runs import newest_checkpoint, read_records

# Dropout, so that random states matter too.
ARGUMENTS = ["train", "copying", *SMALL, "--set=model.dropout=0.2"]


def assert_equal_to_the_last_bit(run_dir, other):
    """Assert that two runs have the same evaluations and final arrays."""
    assert read_records(run_dir) == read_records(other)
    assert newest_checkpoint(run_dir).name == newest_checkpoint(other).name
    with np.load(newest_checkpoint(run_dir)) as one, np.load(newest_checkpoint(other)) as two:
        assert one.files == two.files
        names = [name for name in one.files if name != "manifest"]
        assert [name for name in names if not np.array_equal(one[name], two[name])] == []


def assert_resumes(run_dir, other, *options):
    """Assert that a resumed run equals an uninterrupted one."""
    result = rum("train", f"--resume={run_dir.name}", *options, "--quiet", cwd=run_dir.parent)
    assert result.returncode == 0, result.stderr
    assert_equal_to_the_last_bit(run_dir, other)
    return result
