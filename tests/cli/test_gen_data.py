import hashlib
import json
import subprocess

import numpy as np
import pytest

from rumcli.cli.app import main
from rumcli.tasks.copying import data as copying_data
from tests.cli.commands import COMMAND, environment, interrupt_when, rum, start
from tests.documents import validated
from tests.marks import needs_posix


def test_file_name_selects_the_format(tmp_path):
    result = rum("gen-data", "copying", "--out=a.npz", "--count=7", "--delay=5", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "wrote 7 examples to a.npz\n"
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["inputs"], copying_data.examples(1, "train", 0, 7, 5).inputs)


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
    found = validated(out, f"gen-data-{task}")
    content = (tmp_path / found["path"]).read_bytes()
    assert (found["format"], found["split"], found["seed"]) == (name, "test", 2)
    assert (found["count"], found["delay"], found["bytes"]) == (3, delay, len(content))
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
