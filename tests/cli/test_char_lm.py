"""`rum train ptb`, `rum eval` and `rum generate` on small texts, as a user has them."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests import small
from tests.cli.commands import (
    COMMAND,
    assert_one_line,
    environment,
    has_control_characters,
    interrupt_when,
    rum,
    rum_process,
    start,
)
from tests.documents import validated
from tests.marks import needs_posix

SMALL = [
    "--hidden=8",
    "--batch-size=8",
    "--steps=20",
    "--set=train.eval_every=10",
    "--set=task.bptt_steps=6",
    "--set=task.embedding=5",
    # To compile the fused loop takes longer than such a run.
    "--set=cell.implementation=plain",
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A directory with a text and a run on it, and the result of the command."""
    place = tmp_path_factory.mktemp("trained")
    small.write_text(place / "text")
    result = rum("train", "ptb", "--data=text", "--out=run", *SMALL, cwd=place)
    assert result.returncode == 0, result.stderr
    return place, result


@pytest.fixture
def place(trained, tmp_path):
    """A copy of that folder, which may be changed; its run still has the text of the other."""
    return Path(shutil.copytree(trained[0], tmp_path / "place"))


def configured_data(run):
    lines = (run / "config.yaml").read_text().splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("  data:"))


def test_run_reports_bits_per_character_beside_the_entropy_of_its_text(trained):
    place, result = trained
    assert not has_control_characters(result.stdout + result.stderr)
    lines = result.stderr.splitlines()
    assert "; unigram bits per character 2.5" in lines[0]
    assert lines[1].startswith("step 1/20: epoch 1/2, bits per character ")
    for part in ("perplexity", "unigram", "characters", "156", str(place / "text")):
        assert part in result.stdout
    assert "published" not in result.stdout
    assert configured_data(place / "run") == str(place / "text")


def test_eval_reproduces_the_test_metrics_of_training(trained):
    place, _ = trained
    summary = json.loads((place / "run/summary.json").read_text())
    result = rum("eval", place / "run", "--json", cwd="/")
    found = validated(result.stdout, "eval")
    assert found["bits_per_character"] == pytest.approx(summary["bits_per_character"])
    assert found["perplexity"] == pytest.approx(2 ** found["bits_per_character"])
    assert found["characters"] == summary["characters"] == small.SIZES["test"] - 1


def test_eval_scores_another_text(trained, tmp_path):
    small.write_text(tmp_path / "other", seed=5)
    result = rum("eval", trained[0] / "run", "--data=other", "--json", cwd=tmp_path)
    assert result.stderr == "evaluating the test split\n"
    assert validated(result.stdout, "eval")["data"] == "other"


def test_each_character_has_a_prediction(place):
    saved = ["--save-predictions=lines.jsonl", "--force"]
    found = validated(rum("eval", "run", "--json", *saved, cwd=place).stdout, "eval")
    lines = (place / "lines.jsonl").read_text().splitlines(keepends=True)
    read = sorted((validated(line, "prediction") for line in lines), key=lambda one: one["index"])
    text = (place / "text" / "test.txt").read_text()
    assert "".join(one["target"] for one in read) == text[1:]
    assert sum(one["loss"] for one in read) / len(read) == pytest.approx(found["loss"], rel=1e-5)


def test_unseen_symbol_is_scored_as_unknown_or_reported_with_the_option(place):
    other = small.write_text(place / "other")
    (other / "test.txt").write_bytes("abcd\u00e9".encode())
    result = rum("eval", "run", "--data=other", "--json", cwd=place)
    assert json.loads(result.stdout)["characters"] == 5, result.stderr
    # Given a run made without an unknown symbol,
    path = place / "run" / "vocabulary.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "has_unknown": False}))
    result = rum("eval", "run", "--data=other", cwd=place)
    expected = r"other, test text: the byte '\xc3' (0xC3) at offset 4 does not occur"
    assert_one_line(result, 2, expected)
    assert "task.min_count=1 reads such bytes as one" in result.stderr


@pytest.mark.e2e
def test_data_option_names_the_new_path_of_a_moved_text(trained, place):
    # Given a run whose text is no longer where it was,
    config = place / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(trained[0]), "/nowhere"))
    moved = "expected a text file or a directory with train, valid and test files; if it has"
    assert_one_line(rum("eval", "run", cwd=place), 2, moved)
    assert_one_line(rum("train", "--resume=run", "--steps=30", cwd=place), 2, moved)
    # when `--data` names the new path, the run continues and records it.
    assert rum("eval", "run", "--data=text", cwd=place).returncode == 0
    arguments = ["train", "--resume=run", "--data=text", "--steps=30", "--json"]
    assert validated(rum(*arguments, cwd=place).stdout, "train")["steps"] == 30
    assert configured_data(place / "run") == str(place / "text")


def test_resume_rejects_another_text(place):
    small.write_text(place / "text", seed=5)
    before = (place / "run/config.yaml").read_bytes()
    result = rum("train", "--resume=run", "--data=text", "--steps=30", cwd=place)
    expected = (
        "the train, validation and test splits differ from those of the run; expected the data"
    )
    assert_one_line(result, 2, expected)
    assert (place / "run/config.yaml").read_bytes() == before


def test_changed_test_text_is_detected(place):
    config = place / "run" / "config.yaml"
    config.write_text(config.read_text().replace(configured_data(place / "run"), "text"))
    (place / "text/test.txt").write_bytes(b"abcd" * 9)
    result = rum("eval", "run", cwd=place)
    assert_one_line(result, 2, "the test split differs from those of the run; to evaluate")
    assert rum("eval", "run", "--split=validation", cwd=place).returncode == 0


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "is missing"), ("{}", "is damaged"), ("[", "is damaged")]
)
def test_missing_vocabulary_is_reported(place, content, expected):
    path = place / "run" / "vocabulary.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    for command in (["eval"], ["generate"], ["train", "--steps=30", "--resume"]):
        assert_one_line(rum(*command, "run", cwd=place), 1, f"run/vocabulary.json {expected}")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "--data is missing; expected a directory with train, valid"),
        ("--data nowhere", "nowhere; expected a text file or a directory with"),
        ("--data empty", "empty has no train or validation or test text; expected train.txt and"),
        ("--data short.txt", "short.txt has 3 bytes; a single file is split 90/5/5"),
        ("--data=", "--data : expected a path, got ''"),
        ("--data text --batch-size 200", "the training text has 700 characters; expected at least"),
        (
            "--data strange --set task.min_count=null",
            "strange, test text: the byte 'E' (0x45) at offset 3 does not occur",
        ),
        ("--data text --delay 3", "--delay 3: task 'ptb' has no option 'delay' (tasks that have"),
        (
            "--data text --set task.bptt_step=3",
            "unknown option 'bptt_step'; did you mean 'bptt_steps'?",
        ),
        ("--set optimizer.schedule.name=cosin", "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (
            "--set optimizer.schedule.decay_at=0.5",
            "schedule 'cosine' has no option 'decay_at' (schedules",
        ),
    ],
)
def test_usage_errors_are_reported_without_leaving_files(tmp_path, arguments, expected):
    small.write_text(tmp_path / "text")
    small.write_text(tmp_path / "strange")
    (tmp_path / "strange" / "test.txt").write_bytes(b"abcEFG")
    (tmp_path / "empty").mkdir()
    (tmp_path / "short.txt").write_bytes(b"abc")
    result = rum("train", "ptb", *arguments.split(), cwd=tmp_path)
    assert_one_line(result, 2, expected)
    assert not (tmp_path / "runs").exists()


@pytest.mark.e2e
def test_unknown_symbol_replaces_unseen_bytes_by_default(tmp_path):
    text = small.write_text(tmp_path / "text")
    (text / "test.txt").write_bytes("abcdé".encode() * 9)
    arguments = ["--data=text", "--out=run", "--quiet"]
    result = rum("train", "ptb", *arguments, *SMALL, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "run/vocabulary.json").read_text())["has_unknown"] is True


@pytest.mark.slow
def test_training_and_generation_run_on_jax(trained, tmp_path):
    pytest.importorskip("jax")
    arguments = [f"--data={trained[0] / 'text'}", "--cell=rum", "--out=run", "--json"]
    jax = {"KERAS_BACKEND": "jax"}
    result = rum_process("train", "ptb", *arguments, *SMALL, cwd=tmp_path, env=jax)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    # What JAX trained, TensorFlow reads, to the rounding of float32.
    again = json.loads(rum("eval", "run", "--json", cwd=tmp_path).stdout)
    assert again["loss"] == pytest.approx(summary["loss"], rel=1e-5)
    assert rum_process("generate", "run", "--length=5", cwd=tmp_path, env=jax).returncode == 0


def test_generated_text_follows_its_prompt_and_depends_on_the_seed_only(trained):
    arguments = ["generate", trained[0] / "run", "--prompt=abc", "--length=40"]
    result = rum(*arguments, cwd="/")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("abc")
    assert len(result.stdout.removesuffix("\n")) in (42, 43)  # the last may be a newline itself
    assert rum(*arguments, cwd="/").stdout == result.stdout
    assert rum(*arguments, "--seed=2", cwd="/").stdout != result.stdout


def test_json_has_the_text_and_its_likelihood(trained):
    # B is a byte that training has not shown.
    arguments = ["--prompt=aB", "--length=30", "--temperature=0", "--json", "--checkpoint=last"]
    found = validated(rum("generate", trained[0] / "run", *arguments, cwd="/").stdout, "generate")
    assert (found["prompt"], found["length"], found["seed"]) == ("aB", 30, 1)
    assert len(found["text"]) == 30
    assert 0 < found["bits_per_character"] < 6


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--length 0", "--length 0: expected at least 1"),
        ("--temperature=-1", "--temperature -1: expected a number of at least 0"),
        ("--temperature nan", "--temperature nan: expected a number of at least 0"),
        ("--checkpoint first", "unknown checkpoint 'first'"),
        ("--seed=-1", "--seed -1: expected at least 0"),
    ],
)
def test_text_that_cannot_be_generated_is_rejected(trained, arguments, expected):
    result = rum("generate", trained[0] / "run", *arguments.split(), cwd="/")
    assert_one_line(result, 2, expected)


def test_run_of_another_task_generates_no_text(finished_run):
    expected = "is a run of 'copying'; only runs of 'ptb' can generate text"
    assert_one_line(rum("generate", finished_run, cwd="/"), 2, expected)
    expected = "is a run of 'copying', which takes no data"
    assert_one_line(rum("eval", finished_run, "--data=x", cwd="/"), 2, expected)


@pytest.mark.e2e
def test_closed_pipe_ends_generation_quietly(trained):
    command = [*COMMAND, "generate", str(trained[0] / "run"), "--length=1000000"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert len(process.stdout.read(20)) == 20  # while it is written
        process.stdout.close()
        assert process.stderr.read() == b"starting TensorFlow\n"


@pytest.mark.e2e
@needs_posix
def test_ctrl_c_ends_generation_in_one_line(trained):
    process = start("generate", trained[0] / "run", "--length=1000000", cwd="/", fresh=True)
    seen = process.stdout.read(20)
    code, out, err = interrupt_when(process, lambda: True, signal.SIGINT)
    assert (code, err) == (130, "starting TensorFlow\nrum: error: interrupted\n")
    assert len(seen + out) >= 20
