import pytest

from rumcli.errors import ConfigError
from rumcli.reproduction import table as tables
from rumcli.reproduction.folder import TABLE, TableFolder, TableOptions

from . import files


@pytest.mark.parametrize("left", [["lock"], ["lock", ".table.yaml.17.part"]], ids=len)
def test_a_table_killed_while_it_was_created_can_be_started_in_the_same_folder(tmp_path, left):
    out = tmp_path / "out"
    out.mkdir()
    for name in left:
        (out / name).write_text("half")
    files.table(tmp_path)
    assert {path.name for path in out.iterdir()} - {"lock"} == {TABLE, "options.json"}


def test_directory_taken_by_another_table_is_unchanged(tmp_path):
    # given
    read, place = files.table(tmp_path)
    other = tables.read(str(files.write_table(tmp_path, "other.yaml", metric="symbol_accuracy")))
    late = TableFolder(place.path)

    # when
    with pytest.raises(ConfigError, match="it is of another table, 'A small table'"):
        late.describe(other, TableOptions())

    # then
    assert (place.path / TABLE).read_text() == read.text
