import pytest

from tests.cli.commands import rum
from tests.faults.runs import ARGUMENTS


@pytest.fixture(scope="session")
def train(tmp_path_factory):
    """Return a function that trains a new run, and returns its directory."""

    def run(steps):
        place = tmp_path_factory.mktemp("run")
        result = rum(*ARGUMENTS, f"--steps={steps}", "--out=run", "--quiet", cwd=place)
        assert result.returncode == 0, result.stderr
        return place / "run"

    return run


@pytest.fixture(scope="session")
def unbroken(train):
    """A run of 40 steps that nothing happened to; its directory."""
    return train(40)


@pytest.fixture(scope="session")
def half(train):
    """The first 20 steps of the same run; its directory, to be copied."""
    return train(20)
