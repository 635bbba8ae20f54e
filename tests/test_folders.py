import pytest

from rumcli import folders
from rumcli.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "command"), [("config.yaml", "rum train"), ("sweep.yaml", "rum sweep")]
)
def test_who_meets_a_folder_of_ours_is_told_how_to_go_on_with_it(tmp_path, name, command):
    path = tmp_path / "my runs"
    path.mkdir()
    (path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"or '{command} --resume '.*my runs''"):
        folders.check_free(path, ["config.yaml"])
    assert (path / name).read_text() == "mine"
