import pytest

from rumcli.cli import _keras_startup
from rumcli.cli.app import main
from tests.cli.commands import rum
from tests.documents import validated
from tests.original_checkpoint import under, variables, write_checkpoint


def test_original_rum_checkpoint_becomes_a_keras_file(tmp_path):
    # given
    theirs, _ = variables(10, 8)
    write_checkpoint(tmp_path / "model", under("rnn/rum_cell", theirs))

    # when
    result = rum(
        "import-checkpoint", "model", "--norm", "2.0", "--cell", "arum", "--json", cwd=tmp_path
    )
    table = rum("import-checkpoint", "model", "--out", "other.keras", cwd=tmp_path)

    # then
    assert (result.returncode, result.stderr) == (0, "")
    found = validated(result.stdout, "import-checkpoint")
    assert (found["features"], found["units"], found["time_norm"]) == (10, 8, 2.0)
    assert (tmp_path / found["path"]).stat().st_size == found["bytes"]
    assert table.returncode == 0
    assert "gates/fully_connected_1/weights" in "".join(table.stdout.split())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--cell", "gru"], "--cell gru: unknown cell 'gru'"),
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--norm", "0"], "--norm 0.0: expected a number greater than 0"),
        (["--zoneout", "1"], "--zoneout 1.0: expected at least 0 and less than 1"),
        (["--out", "cell.h5"], "--out cell.h5: expected a name that ends in .keras"),
        (["--out", "nowhere/cell.keras"], "can't write nowhere/cell.keras"),
    ],
)
def test_wrong_option_is_reported_in_one_line(options, expected, capsys):
    assert main(["import-checkpoint", "model", *options]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert expected in line


def test_missing_checkpoint_is_reported_before_importing_tensorflow(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_keras_startup, "start", None)
    assert main(["import-checkpoint", "nope/model.ckpt"]) == 2
    expected = "nope/model.ckpt: there is no checkpoint; expected the file model.ckpt.index"
    assert expected in capsys.readouterr().err


def test_a_file_that_exists_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imported.keras").write_bytes(b"mine")
    assert main(["import-checkpoint", "model"]) == 2
    assert "imported.keras exists; choose another name, or --force" in capsys.readouterr().err
    assert (tmp_path / "imported.keras").read_bytes() == b"mine"
