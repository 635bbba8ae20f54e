import pytest

from rumcli import folders
from rumcli.errors import ConfigError


def test_the_first_number_that_is_free_is_taken(tmp_path):
    (tmp_path / "all" / "run-1").mkdir(parents=True)
    (tmp_path / "all" / "run-3").mkdir()
    made = [folders.make(None, tmp_path / "all", "run").name for _ in range(2)]
    assert made == ["run-2", "run-4"]


@pytest.mark.parametrize(
    ("name", "command"), [("config.yaml", "rum train"), ("sweep.yaml", "rum sweep")]
)
def test_who_meets_a_folder_of_ours_is_told_how_to_go_on_with_it(tmp_path, name, command):
    path = tmp_path / "my runs"
    path.mkdir()
    (path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"or '{command} --resume '.*my runs''"):
        folders.make(path, tmp_path, "run")
    assert (path / name).read_text() == "mine"
