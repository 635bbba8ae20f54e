import pytest

from rumcli.errors import ConfigError
from rumcli.reproduction import table as tables
from rumcli.reproduction.folder import TABLE, TableFolder

from . import files


@pytest.mark.parametrize("left", [["lock"], ["lock", ".table.yaml.17.part"]], ids=len)
def test_a_table_killed_while_it_was_created_can_be_started_in_the_same_folder(tmp_path, left):
    out = tmp_path / "out"
    out.mkdir()
    for name in left:
        (out / name).write_text("half")
    files.table(tmp_path)
    assert {path.name for path in out.iterdir()} - {"lock"} == {TABLE}


def test_a_folder_that_became_another_table_s_meanwhile_is_left_alone(tmp_path):
    # given
    read, place = files.table(tmp_path)
    other = tables.read(str(files.write(tmp_path, "other.yaml", figure="symbol_accuracy")))
    late = TableFolder(place.path)

    # when
    with pytest.raises(ConfigError, match="it is of another table, 'A small table'"):
        late.keep(other)

    # then
    assert (place.path / TABLE).read_text() == read.text


def test_a_run_that_is_a_link_to_elsewhere_is_rejected(tmp_path):
    read, place = files.table(tmp_path)
    name, run = next(iter(files.runs(read).items()))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (place.path / name).symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is a link; a table keeps its runs in its own folder"):
        place.begin(run)
    assert list(elsewhere.iterdir()) == []
