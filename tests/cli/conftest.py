import pytest

from tests.cli.commands import SMALL, rum


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A small finished run of the copying task; its folder."""
    place = tmp_path_factory.mktemp("finished")
    result = rum("train", "copying", "--cell=arum", "--steps=20", *SMALL, cwd=place)
    assert result.returncode == 0, result.stderr
    return place / "runs" / "copying-arum-1"
