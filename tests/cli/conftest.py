import pytest

from tests.cli.commands import SMALL_RUM, rum


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """A small finished run of the copying task; its folder."""
    place = tmp_path_factory.mktemp("finished")
    result = rum("train", "copying", "--steps=20", *SMALL_RUM, cwd=place)
    assert result.returncode == 0, result.stderr
    return place / "runs" / "copying-rum-1"
