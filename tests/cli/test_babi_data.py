import hashlib
import sys
from pathlib import Path

import pytest

from rumcli.data.babi import generator, reader
from tests.cli.commands import assert_one_line, interrupt_when, rum, rum_process, start
from tests.documents import validated

PATHS = "qa19_path-finding_train.txt", "qa19_path-finding_test.txt"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def asked(content):
    """Return the number of questions in a file."""
    return sum(story.questions for story in reader.parse(content, "a file of ours"))


def test_the_published_files_of_a_subtask_are_written(tmp_path):
    result = rum("gen-data", "babi", "--subtask=19", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"wrote {' and '.join(PATHS)} to {Path('data', 'babi')}\n"
    shown = validated(result.stdout, "gen-data-babi")
    assert (shown["folder"], shown["seed"]) == (str(Path("data", "babi")), 1)
    assert [(file["split"], file["questions"]) for file in shown["files"]] == [
        ("train", 10_000),
        ("test", 1000),
    ]
    for file, name in zip(shown["files"], PATHS, strict=True):
        assert Path(file["path"]).name == name
        content = (tmp_path / file["path"]).read_bytes()
        assert asked(content) == file["questions"]
        assert len(reader.parse(content, name)) == file["stories"]
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


@pytest.mark.e2e
def test_all_subtasks_have_the_questions_asked_for_and_the_same_for_the_same_seed(tmp_path):
    arguments = ["gen-data", "babi", "--subtask=all", "--count=13", "--split=validation"]
    result = rum(*arguments, "--out=a", "--seed=5", cwd=tmp_path)
    files = contents(tmp_path / "a")
    assert result.stderr == f"wrote {len(generator.FAMILIES)} files to a\n"
    assert len(files) == len(generator.FAMILIES)
    assert all(name.endswith("_valid.txt") for name in files)
    assert {asked(content) for content in files.values()} == {13}
    # In an interpreter of its own, which has other hashes.
    rum_process(*arguments, "--out=b", "--seed=5", cwd=tmp_path, fresh=True)
    assert contents(tmp_path / "b") == files
    rum(*arguments, "--out=b", "--seed=6", "--force", cwd=tmp_path)
    other = contents(tmp_path / "b")
    assert all(other[name] != content for name, content in files.items())


def test_nothing_is_written_if_one_of_the_files_exists(tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / PATHS[1]).write_text("mine")
    arguments = ["gen-data", "babi", "--subtask=19", "--count=5", "--out=o"]
    result = rum(*arguments, cwd=tmp_path)
    assert_one_line(result, 2, f"{Path('o', PATHS[1])} exists; choose another name, or --force")
    assert contents(tmp_path / "o") == {PATHS[1]: b"mine"}
    assert rum(*arguments, "--force", cwd=tmp_path).returncode == 0
    assert [asked(content) for content in contents(tmp_path / "o").values()] == [5, 5]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "missing option '--subtask'"),
        (["--subtask=21"], "--subtask 21: expected a number from 1 to 20, or all"),
        (["--subtask=foo"], "--subtask foo: expected a number from 1 to 20, or all"),
        (["--subtask=4", "--count=0"], "--count 0: expected at least 1"),
        (["--subtask=4", "--seed=-1"], "--seed -1: expected at least 0"),
        (["--subtask=4", "--split=tests"], "did you mean 'test'?"),
        (["--subtask=4", "--out=file"], "--out file is a file; expected a folder"),
        (["--subtask=4", "--out=file/x"], f"can't make {Path('file', 'x')}: "),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path, arguments, expected):
    (tmp_path / "file").write_text("mine")
    assert_one_line(rum("gen-data", "babi", *arguments, cwd=tmp_path), 2, expected)
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
def test_an_interrupted_command_leaves_no_part_of_a_file(tmp_path):
    out = tmp_path / "o"
    arguments = ["gen-data", "babi", "--subtask=4", "--count=100000000", "--out=o"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    ended = interrupt_when(process, lambda: out.is_dir() and any(out.iterdir()))
    assert ended == (130, "", "rum: error: interrupted\n")
    assert list(out.iterdir()) == []
