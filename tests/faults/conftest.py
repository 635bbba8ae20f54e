import pytest

from tests.cli.commands import rum
from tests.faults.runs import ARGUMENTS


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """Directory of an uninterrupted run of 40 steps."""
    place = tmp_path_factory.mktemp("unbroken")
    result = rum(*ARGUMENTS, "--steps=40", "--out=whole", "--quiet", cwd=place)
    assert result.returncode == 0, result.stderr
    return place / "whole"


@pytest.fixture(scope="session")
def half(tmp_path_factory):
    """Directory of the same run after 20 steps, to be copied."""
    place = tmp_path_factory.mktemp("half")
    result = rum(*ARGUMENTS, "--steps=20", "--out=half", "--quiet", cwd=place)
    assert result.returncode == 0, result.stderr
    return place / "half"
