"""A small run with randomness, and its comparison, for the tests of faults."""

import numpy as np

from tests.cli.commands import SMALL, rum
from tests.runs import newest_checkpoint, read_records

# Dropout, so that random states count too.
ARGUMENTS = ["train", "copying", *SMALL, "--set=model.dropout=0.2"]


def assert_equal_to_the_last_bit(folder, other):
    """Assert that two runs have the same evaluations and the same arrays in the end."""
    assert read_records(folder) == read_records(other)
    assert newest_checkpoint(folder).name == newest_checkpoint(other).name
    with np.load(newest_checkpoint(folder)) as one, np.load(newest_checkpoint(other)) as two:
        assert one.files == two.files
        names = [name for name in one.files if name != "manifest"]
        assert [name for name in names if not np.array_equal(one[name], two[name])] == []


def assert_resumes(folder, other, *options):
    """Assert that a run can be resumed, and is then like one that was never stopped."""
    result = rum("train", f"--resume={folder.name}", *options, "--quiet", cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert_equal_to_the_last_bit(folder, other)
    return result
