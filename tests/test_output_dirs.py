import pytest

from rumcli import output_dirs
from rumcli.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "command"), [("config.yaml", "rum train"), ("sweep.yaml", "rum sweep")]
)
def test_existing_directory_error_names_the_resume_command(tmp_path, name, command):
    path = tmp_path / "my runs"
    path.mkdir()
    (path / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"or '{command} --resume '.*my runs''"):
        output_dirs.check_free(path, ["config.yaml"])
    assert (path / name).read_text() == "mine"
