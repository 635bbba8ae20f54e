""""""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from rumcli.cli.app import main
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.char_lm import corpus, penn_treebank
from rumcli.tasks.copying import data as copying_data
from rumcli.tasks.copying.config import CopyingConfig
from tests.cli.commands import (
    COMMAND,
    assert_one_line,
    environment,
    interrupt_when,
    python,
    rum,
    rum_process,
    start,
)
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

PATHS = "qa19_path-finding_train.txt", "qa19_path-finding_test.txt"


def test_file_name_selects_the_format(tmp_path):
    result = rum("gen-data", "copying", "--out=a.npz", "--count=7", "--delay=5", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "wrote 7 examples to a.npz\n"
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        inputs, _ = copying_data.examples(CopyingConfig(delay=5), 1, "train", 0, 7)
        assert np.array_equal(archive["inputs"], inputs)


def test_examples_are_printed_as_jsonl_without_a_file(tmp_path):
    arguments = ["gen-data", "recall", "--count=3", "--seed=5", "--split=test"]
    result = rum(*arguments, cwd=tmp_path)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) == 3
    assert all(len(line["inputs"]) == 53 for line in lines)
    assert rum(*arguments, cwd=tmp_path).stdout == result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize(("task", "name", "delay"), [("copying", "npz", 5), ("recall", "txt", 10)])
def test_json_describes_the_file(tmp_path, monkeypatch, capsys, task, name, delay):
    monkeypatch.chdir(tmp_path)
    arguments = [f"--out=a.{name}", "--count=3", f"--delay={delay}", "--seed=2", "--split=test"]
    assert main(["gen-data", task, *arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == f"wrote 3 examples to a.{name}\n"
    found = validated(out, "gen-data-examples")
    content = (tmp_path / found["path"]).read_bytes()
    assert (found["format"], found["split"], found["seed"]) == (name, "test", 2)
    assert (found["count"], found["bytes"]) == (3, len(content))
    assert (found["task"], found["options"]["delay"]) == (task, delay)
    assert found["sha256"] == hashlib.sha256(content).hexdigest()


def test_file_is_replaced_only_with_force(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    arguments = ["gen-data", "copying", "--out=a.txt", "--count=2"]
    assert rum(*arguments, cwd=tmp_path).returncode == 2
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert rum(*arguments, "--force", cwd=tmp_path).returncode == 0
    assert len((tmp_path / "a.txt").read_text().splitlines()) == 2


@pytest.mark.e2e
def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path):
    with subprocess.Popen(
        [*COMMAND, "gen-data", "copying", "--count=100000"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.e2e
@needs_posix
def test_interrupted_command_reports_it_and_leaves_no_partial_file(tmp_path):
    arguments = ["gen-data", "copying", "--count=100000000", "--out=a.txt"]
    # In a fork an interrupt got lost at times, likely in the callback that JAX gives the collector.
    process = start(*arguments, cwd=tmp_path, fresh=True)
    code, out, err = interrupt_when(process, lambda: any(tmp_path.iterdir()))
    assert (code, out, err) == (130, "", "rum: error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


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
    assert err == "o already has the three files, and they are intact\n"
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
        ("source.zip", "--out source.zip is a file; expected a directory"),
        ("source.zip/x", "can't create source.zip/x: Not a directory"),
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
    assert_one_line(result, 2, "wrong.zip: ../ptb.train.txt is not the expected ptb.train.txt")
    content = write_tar(tmp_path / "a.tgz", archive_members()).read_bytes()
    (tmp_path / "a.tgz").write_bytes(content[: len(content) // 2])
    result = rum("gen-data", "ptb", "--source=a.tgz", cwd=tmp_path)
    assert_one_line(result, 2, "a.tgz is damaged or truncated")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "wrong.zip"]


def asked(content):
    """Return the number of questions in a file."""
    return sum(story.questions for story in babi_stories.parse_stories(content, "a file of ours"))


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
        assert len(babi_stories.parse_stories(content, name)) == file["stories"]
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
        (["--subtask=4", "--out=file"], "--out file is a file; expected a directory"),
        (["--subtask=4", "--out=file/x"], f"can't create {Path('file', 'x')}: "),
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
