import hashlib
import json
import re
import tarfile

import numpy as np
import pytest

from rumcli import config
from rumcli.tasks import registry
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated
from tests.small import write_text

SMALL = "task: {name: ptb, bptt_steps: 6}\ntrain: {batch_size: 8, steps: 50}\n"


@pytest.fixture
def folder(tmp_path):
    """A text whose test split has a passage of the training split and three unknown bytes."""
    folder = write_text(tmp_path / "text")
    train = (folder / "train.txt").read_bytes()
    (folder / "test.txt").write_bytes(train[5 : 5 + 64] + b"z\xff" + b"z" + b"a" * 61)
    (tmp_path / "small.yaml").write_text(SMALL)
    return folder


def test_text_is_described_split_by_split(folder):
    result = rum("data", "text", "--preset", "small.yaml", "--json", cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    found = validated(result.stdout, "data-text")
    train, test = found["splits"]["train"], found["splits"]["test"]
    content = (folder / "train.txt").read_bytes()
    assert (train["bytes"], train["symbols"]) == (len(content), len(set(content)))
    assert train["sha256"] == hashlib.sha256(content).hexdigest()
    shares = np.bincount(np.frombuffer(content, np.uint8)) / len(content)
    shares = shares[shares > 0]
    assert train["entropy"] == pytest.approx(-(shares * np.log2(shares)).sum())
    assert (test["unknown"], test["unknown_symbols"]) == (3, [ord("z"), 255])
    assert test["overlap"]["train"] == 0.5
    assert (train["unknown"], train["overlap"]) == (0, {})
    # 8 streams of ⌊699/8⌋ targets, in windows of 6.
    run = found["run"]
    assert (run["windows_per_epoch"], run["classes"], run["unknown_class"]) == (14, 7, True)
    assert run["epochs"] == pytest.approx(50 / 14)
    assert found["problem"] is None


def test_run_is_the_one_that_training_would_make(folder):
    from rumcli.training import dataset_binding

    found = registry.summarize_data(folder, str(folder.parent / "small.yaml"))
    flags = {("task", "data"): str(folder)}
    run = config.build(str(folder.parent / "small.yaml"), [], flags)
    task = registry.make(run, dataset_binding.for_training(run, None))
    assert task.steps_per_epoch == found.run.windows_per_epoch
    assert task.text.vocabulary.size == found.run.classes


def test_text_that_training_rejects_is_shown_and_fails(folder):
    result = rum("data", "text", "--json", cwd=folder.parent)  # too short for the preset
    assert result.returncode == 1
    found = validated(result.stdout, "data-text")
    assert found["run"] is None
    assert "expected at least batch_size × length + 1" in found["problem"]
    assert result.stderr.splitlines()[-1].startswith("rum: error: 'rum train' rejects it: ")


def test_tables_fit_the_terminal(folder, stories):
    for path in ("text", "stories"):
        shown = rum("data", path, cwd=folder.parent, env={"COLUMNS": "120"}).stdout
        assert max(map(len, shown.splitlines())) <= 120
        assert "train" in shown
        narrow = rum("data", path, cwd=folder.parent, env={"COLUMNS": "60"}).stdout
        assert max(map(len, narrow.splitlines())) <= 60
        assert "…" not in narrow
        assert re.search(r"train +│ \d", narrow)
    assert "0x7A 0xFF" in rum("data", "text", cwd=folder.parent).stdout


@pytest.fixture
def stories(tmp_path):
    """Generated stories of subtask 1, and those of subtask 7 without a training file."""
    for arguments in (["--subtask", 1], ["--subtask", 7, "--split", "test"]):
        result = rum("gen-data", "babi", *arguments, "--count", 40, "--out=stories", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    return tmp_path / "stories"


@pytest.mark.parametrize("packed", [False, True])
def test_stories_are_described_subtask_by_subtask(stories, packed):
    path = "stories"
    if packed:
        path = "babi.tar.gz"
        with tarfile.open(stories.parent / path, "w:gz") as archive:
            archive.add(stories, "tasks/en-10k")
    result = rum("data", path, "--json", cwd=stories.parent)
    assert result.returncode == 0, result.stderr
    found = validated(result.stdout, "data-babi")
    one, seven = found["subtasks"]
    assert (one["subtask"], one["name"]) == (1, "single-supporting-fact")
    counts = {split: content["questions"] for split, content in one["splits"].items()}
    assert counts["train"] + counts["validation"] == counts["test"] == 40
    assert one["steps_per_epoch"] == max(1, counts["train"] // found["batch_size"])
    assert 0 < one["majority"] < 1
    assert seven["splits"] is None
    assert "has no qa7_counting_train.txt" in seven["problem"]


def test_copied_stories_are_an_overlap(stories):
    (train,) = stories.glob("qa1_*_train.txt")
    (test,) = stories.glob("qa1_*_test.txt")
    test.write_bytes(train.read_bytes())
    found = json.loads(rum("data", "stories", "--json", cwd=stories.parent).stdout)
    overlap = found["subtasks"][0]["splits"]["test"]["overlap"]
    assert overlap["train"] + overlap["validation"] >= 1.0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gone"], "there is no gone; expected a text file or a directory"),
        (["text", "--preset", "recall"], "the preset is for 'recall', not 'ptb'"),
        (["text", "--preset", "babi"], "the preset is for 'babi', not 'ptb'"),
        (["."], ". has no train or validation or test text"),
    ],
)
def test_wrong_usage_is_one_line(folder, arguments, expected):
    result = rum("data", *arguments, cwd=folder.parent)
    assert result.returncode == 2
    assert expected in result.stderr.splitlines()[-1]
    assert result.stdout == ""
    assert_one_line(rum("data", cwd=folder), 2, "missing argument 'PATH'")
