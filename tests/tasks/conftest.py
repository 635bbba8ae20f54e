import pytest

from tests import small


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Write the three files of a small text; the value is their directory."""
    return small.write_text(tmp_path_factory.mktemp("text"))
