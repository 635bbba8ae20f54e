import hashlib
from pathlib import Path

import pytest

from rumcli.cli.app import main
from rumcli.tasks.char_lm import corpus, penn_treebank
from tests.cli.commands import assert_one_line, python, rum
from tests.data.sources import (
    FILES,
    TEXTS,
    archive_members,
    gzip_files,
    serve,
    write_tar,
    write_zip,
)
from tests.directories import read_files
from tests.documents import validated
from tests.marks import needs_posix

PTB = Path(__file__).parents[3] / "shared" / "data" / "ptb"


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder to work in, in which small texts stand for the real ones."""
    monkeypatch.setattr(penn_treebank, "FILES", FILES)
    monkeypatch.chdir(tmp_path)
    write_zip(tmp_path / "source.zip", archive_members())
    return tmp_path


def gen_ptb(capsys, *arguments):
    """Run `rum gen-data ptb` in this process; return exit code, stdout, stderr."""
    code = main(["gen-data", "ptb", *arguments])
    return code, *capsys.readouterr()


@pytest.mark.skipif(not PTB.is_dir(), reason="there is no ../shared/data/ptb")
def test_real_files_are_verified_and_written(tmp_path):
    result = rum("gen-data", "ptb", "--source", PTB, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    shown = validated(result.stdout, "gen-data-ptb")
    assert shown["folder"] == str(Path("data", "ptb"))
    for file in shown["files"]:
        content = (tmp_path / file["path"]).read_bytes()
        assert file["bytes"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert file["written"]
    assert len(corpus.read(tmp_path / "data" / "ptb").train) == 5_101_618


def test_gen_data_writes_a_directory_to_train_on(workplace, capsys):
    code, out, err = gen_ptb(capsys, "--source=source.zip")
    assert (code, out) == (0, "")
    assert err == (
        "wrote ptb.train.txt, ptb.valid.txt, ptb.test.txt to data/ptb; "
        "to train on it: rum train ptb --data data/ptb\n"
    )
    assert read_files(workplace / "data" / "ptb") == TEXTS
    assert corpus.read(workplace / "data" / "ptb").test.tobytes() == TEXTS["ptb.test.txt"]


def test_files_are_downloaded(workplace, capsys):
    answers = {f"/ptb/{name}": content for name, content in gzip_files().items()}
    with serve(answers) as address:
        assert gen_ptb(capsys, f"--source={address}/ptb/", "--out=a b")[0] == 0
    assert read_files(workplace / "a b") == TEXTS


def test_existing_files_are_kept_without_reading_a_source(workplace, capsys):
    assert gen_ptb(capsys, "--source=source.zip", "--out=o")[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (workplace / "o").iterdir()}
    code, out, err = gen_ptb(capsys, "--source=nowhere", "--out=o", "--json")
    assert code == 0
    assert err == "o has the three files already; they are the right ones\n"
    assert [file["written"] for file in validated(out, "gen-data-ptb")["files"]] == [False] * 3
    assert {path: path.stat().st_mtime_ns for path in (workplace / "o").iterdir()} == before


def test_only_missing_files_are_written(workplace, capsys):
    assert gen_ptb(capsys, "--source=source.zip", "--out=o")[0] == 0
    (workplace / "o" / "ptb.test.txt").unlink()
    write_tar(
        workplace / "test.tar", archive_members("", {"ptb.test.txt": TEXTS["ptb.test.txt"]}), "w"
    )
    code, out, err = gen_ptb(capsys, "--source=test.tar", "--out=o", "--json")
    assert code == 0
    assert err.startswith("wrote ptb.test.txt to o; ")
    assert [file["written"] for file in validated(out, "gen-data-ptb")["files"]] == [
        False,
        False,
        True,
    ]


def test_different_file_is_replaced_only_with_force(workplace, capsys):
    (workplace / "o").mkdir()
    (workplace / "o" / "ptb.valid.txt").write_bytes(b"mine")
    code, _, err = gen_ptb(capsys, "--source=nowhere", "--out=o")  # before reading the source
    assert code == 2
    assert f"{Path('o', 'ptb.valid.txt')} exists; choose another name, or --force" in err
    assert read_files(workplace / "o") == {"ptb.valid.txt": b"mine"}
    assert gen_ptb(capsys, "--source=source.zip", "--out=o", "--force")[0] == 0
    assert read_files(workplace / "o") == TEXTS


def test_source_with_a_wrong_file_writes_nothing(workplace, capsys):
    (workplace / "o").mkdir()
    (workplace / "o" / "ptb.valid.txt").write_bytes(b"mine")
    write_zip(workplace / "wrong.zip", archive_members(texts={**TEXTS, "ptb.test.txt": b"other"}))
    code, _, err = gen_ptb(capsys, "--source=wrong.zip", "--out=o", "--force")
    assert code == 2
    assert "it has 5 bytes, expected" in err
    assert read_files(workplace / "o") == {"ptb.valid.txt": b"mine"}


@pytest.mark.e2e
@needs_posix
@pytest.mark.parametrize("room", [1000, 2000], ids=["first", "second"])
def test_disk_error_leaves_all_files_unchanged(tmp_path, room):
    # Given an operating system that allows files up to a size; the last one would have room
    assert [file.size for file in FILES] == [1450, 2900, 300]
    write_zip(tmp_path / "source.zip", archive_members())
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "ptb.train.txt").write_bytes(b"mine")
    code = (
        "import resource, sys\n"
        "from rumcli.cli.app import main\nfrom rumcli.tasks.char_lm import penn_treebank\n"
        "from tests.data.sources import FILES\n"
        "penn_treebank.FILES = FILES\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "sys.exit(main(['gen-data', 'ptb', '--source=source.zip', '--out=o', '--force']))\n"
    )
    result = python(code, tmp_path, {"PYTHONDONTWRITEBYTECODE": "1"})
    refused = next(file.name for file in FILES if file.size > room)
    assert_one_line(result, 2, f"can't write {Path('o', refused)}: File too large")
    assert read_files(tmp_path / "o") == {"ptb.train.txt": b"mine"}


def test_directory_in_place_of_a_file_is_reported(workplace, capsys):
    (workplace / "o" / "ptb.test.txt").mkdir(parents=True)
    code, _, err = gen_ptb(capsys, "--source=source.zip", "--out=o", "--force")
    assert code == 2
    assert f"{Path('o', 'ptb.test.txt')} is not a regular file" in err
    assert sorted(path.name for path in (workplace / "o").iterdir()) == ["ptb.test.txt"]


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("source.zip", "--out source.zip is a file; expected a folder"),
        ("source.zip/x", "can't make source.zip/x: Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_unwritable_directory_is_reported(workplace, capsys, out, expected):
    code, _, err = gen_ptb(capsys, "--source=source.zip", f"--out={out}")
    assert code == 2
    assert expected in err
    assert [path.name for path in workplace.iterdir()] == ["source.zip"]


def test_missing_source_names_addresses_and_license_terms(tmp_path):
    result = rum("gen-data", "ptb", cwd=tmp_path)
    assert_one_line(result, 2, "http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz")
    for part in ("LDC99T42", "under copyright", "rum gen-data ptb --source simple-examples.tgz"):
        assert part in result.stderr


def test_wrong_files_and_truncated_archives_are_reported_in_one_line(tmp_path):
    write_zip(tmp_path / "wrong.zip", archive_members("../"))
    result = rum("gen-data", "ptb", "--source=wrong.zip", cwd=tmp_path)
    assert_one_line(result, 2, "wrong.zip: ../ptb.train.txt is not the ptb.train.txt that is meant")
    content = write_tar(tmp_path / "a.tgz", archive_members()).read_bytes()
    (tmp_path / "a.tgz").write_bytes(content[: len(content) // 2])
    result = rum("gen-data", "ptb", "--source=a.tgz", cwd=tmp_path)
    assert_one_line(result, 2, "a.tgz is damaged or not whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "wrong.zip"]
