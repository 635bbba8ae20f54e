import hashlib
from pathlib import Path

import pytest

from rumcli.tasks.babi import parser
from rumcli.tasks.babi.generator import story_generator
from tests.cli.commands import assert_one_line, interrupt_when, rum, rum_process, start
from tests.directories import read_files
from tests.documents import validated
from tests.marks import needs_posix

PATHS = "qa19_path-finding_train.txt", "qa19_path-finding_test.txt"


def asked(content):
    """Return the number of questions in a file."""
    return sum(story.questions for story in parser.parse(content, "a file of ours"))


def test_gen_data_writes_the_published_files_of_a_subtask(tmp_path):
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
        assert len(parser.parse(content, name)) == file["stories"]
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


@pytest.mark.e2e
def test_all_subtasks_have_the_requested_questions_and_depend_on_the_seed_only(tmp_path):
    arguments = ["gen-data", "babi", "--subtask=all", "--count=13", "--split=validation"]
    result = rum(*arguments, "--out=a", "--seed=5", cwd=tmp_path)
    files = read_files(tmp_path / "a")
    assert result.stderr.splitlines()[-1] == f"wrote {len(story_generator.FAMILIES)} files to a"
    assert len(files) == len(story_generator.FAMILIES)
    assert all(name.endswith("_valid.txt") for name in files)
    assert {asked(content) for content in files.values()} == {13}
    # In an interpreter of its own, which has other hashes.
    rum_process(*arguments, "--out=b", "--seed=5", cwd=tmp_path, fresh=True)
    assert read_files(tmp_path / "b") == files
    rum(*arguments, "--out=b", "--seed=6", "--force", cwd=tmp_path)
    other = read_files(tmp_path / "b")
    assert all(other[name] != content for name, content in files.items())


def test_existing_file_prevents_all_writing(tmp_path):
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / PATHS[1]).write_text("mine")
    arguments = ["gen-data", "babi", "--subtask=19", "--count=5", "--out=o"]
    result = rum(*arguments, cwd=tmp_path)
    assert_one_line(result, 2, f"{Path('o', PATHS[1])} exists; choose another name, or --force")
    assert read_files(tmp_path / "o") == {PATHS[1]: b"mine"}
    assert rum(*arguments, "--force", cwd=tmp_path).returncode == 0
    assert [asked(content) for content in read_files(tmp_path / "o").values()] == [5, 5]


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
def test_usage_errors_are_reported_in_one_line(tmp_path, arguments, expected):
    (tmp_path / "file").write_text("mine")
    assert_one_line(rum("gen-data", "babi", *arguments, cwd=tmp_path), 2, expected)
    assert read_files(tmp_path) == {"file": b"mine"}


@pytest.mark.e2e
@needs_posix
def test_interrupted_command_leaves_no_partial_file(tmp_path):
    out = tmp_path / "o"
    arguments = ["gen-data", "babi", "--subtask=4", "--count=100000000", "--out=o"]
    process = start(*arguments, cwd=tmp_path, fresh=True)
    ended = interrupt_when(process, lambda: out.is_dir() and any(out.iterdir()))
    assert ended == (130, "", "rum: error: interrupted\n")
    assert list(out.iterdir()) == []
